package swarm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A check that is left out because its arguments are not given must have
// nothing to say: with any arguments, all checks find what checkService finds.
func TestServiceChecksLeaveNothingOut(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 5000 {
		args := make(value.Struct, len(ServiceSchema.Fields()))
		for i, f := range ServiceSchema.Fields() {
			if rnd.IntN(4) == 0 {
				args[i] = anything(rnd, f.Type)
			}
		}
		p := &problems{}
		for _, c := range serviceChecks() {
			c.find(reader{ServiceSchema, args}, p)
		}
		got, want := fmt.Sprint(checkService(args)), fmt.Sprint(p.list)
		if got != want {
			t.Fatalf("checkService finds %s, all checks %s", got, want)
		}
		found += len(p.list)
	}
	if found < 5000 {
		t.Errorf("only %d problems: the arguments are too good", found)
	}
}

// anything returns a value of a type, often a bad one.
func anything(rnd *rand.Rand, t *schema.Type) value.Value {
	switch t.Kind {
	case schema.Bool:
		return rnd.IntN(2) == 0
	case schema.Float:
		return rnd.Float64()*3 - 1
	case schema.String:
		if len(t.Enum) > 0 {
			return t.Enum[rnd.IntN(len(t.Enum))]
		}
		return []string{"", "a", "b", "./c", "tmpfs"}[rnd.IntN(5)]
	case schema.ListOf:
		l := make(value.List, rnd.IntN(3))
		for i := range l {
			l[i] = anything(rnd, t.Elem)
		}
		return l
	case schema.MapOf:
		return value.NewMap([]value.Entry{{Key: "a", Value: anything(rnd, t.Elem)}})
	case schema.StructOf:
		s := t.Struct.Defaults()
		for i, f := range t.Struct.Fields() {
			if rnd.IntN(2) == 0 {
				s[i] = anything(rnd, f.Type)
			}
		}
		return s
	}
	return int64(rnd.IntN(5)-2) * []int64{1, 1 << 10, 1 << 24}[rnd.IntN(3)]
}
