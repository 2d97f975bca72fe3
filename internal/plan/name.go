package plan

import "github.com/swarmscript/swarmscript/internal/resource"

// KeptName is the live name of an object of ours that it keeps where the script
// gives none.
func KeptName(k *resource.Kind, o *resource.Object) string {
	if k.Renames {
		return o.Mark.GivenName()
	}
	return o.Name
}

// markName lets the mark remember a live name that the address does not tell.
func (ch *Change) markName(name string) {
	if ch.Kind.Renames && name != ch.Address.Name() {
		ch.Mark.Name = name
	}
}
