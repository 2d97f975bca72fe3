// Package stdlib holds the modules of @stdlib//, written in SwarmScript. Each
// has its tests beside it.
package stdlib

import "embed"

// FS holds the modules.
//
//go:embed host.star swarm.star update.star
var FS embed.FS
