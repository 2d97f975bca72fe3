// Package stdlib holds the modules of @stdlib//, written in SwarmScript. Each
// has its tests beside it.
package stdlib

import "embed"

// FS holds the modules.
//
//go:embed update.star
var FS embed.FS
