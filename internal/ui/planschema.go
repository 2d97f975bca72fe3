package ui

import _ "embed"

// PlanSchema is the JSON Schema of what [PlanJSON] and [PlanErrorJSON] write.
//
//go:embed plan.schema.json
var PlanSchema []byte
