// Package stdlib holds the modules of @stdlib//, written in SwarmScript. Each
// has its tests beside it.
package stdlib

import "embed"

// FS holds the modules.
//
//go:embed args.star host.star images.star mariadb.star monitoring.star registry.star swarm.star traefik.star update.star
var FS embed.FS
