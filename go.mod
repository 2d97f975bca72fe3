module github.com/swarmscript/swarmscript

go 1.26.0

require (
	github.com/BurntSushi/toml v1.6.0
	github.com/docker/go-units v0.5.0
	go.starlark.net v0.0.0-20260908191801-89a6a09411d5
	google.golang.org/protobuf v1.36.11
	gopkg.in/yaml.v3 v3.0.1
)

require (
	github.com/rivo/uniseg v0.4.7
	golang.org/x/sys v0.49.0
	golang.org/x/term v0.47.0
)
