module github.com/swarmscript/swarmscript

go 1.26
