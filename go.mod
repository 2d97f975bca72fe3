module github.com/swarmscript/swarmscript

go 1.26

require github.com/docker/go-units v0.5.0 // indirect
