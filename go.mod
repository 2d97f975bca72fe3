module github.com/swarmscript/swarmscript

go 1.26

require (
	go.starlark.net v0.0.0-20260908191801-89a6a09411d5
	google.golang.org/protobuf v1.36.11
)

require golang.org/x/sys v0.42.0 // indirect
