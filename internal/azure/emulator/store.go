package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// A record is one resource, or a resource group.
type record struct {
	ID   string // as it was first written
	Body object // as a GET answers, but for references back
	// Secret is what was given and is never answered.
	Secret object `json:",omitempty"`
	// Operation is the one that is under way, or "".
	Operation string `json:",omitempty"`
	// Power is what a virtual machine does, as its instance view says it.
	Power string `json:",omitempty"`
	// Machine is set while [Machines] has one for it.
	Machine bool `json:",omitempty"`
	// Failed is what its last operation ended with, nil where that went well.
	Failed *Failure `json:",omitempty"`
}

func (r *record) key() string { return keyOf(r.ID) }

func (r *record) path() path {
	p, _ := parsePath(r.ID) // what is kept was one
	return p
}

func (r *record) properties() object { return ensure(r.Body, "properties") }

func (r *record) location() string { return location(text(r.Body, "location")) }

func (r *record) clone() *record {
	c := *r
	c.Body, c.Secret = cloneObject(r.Body), cloneObject(r.Secret)
	return &c
}

// A reference is one resource that names another, or a part of it: From is the ID
// of the innermost part that says so, such as an IP configuration of a NIC.
type reference struct {
	From, To string
	holder   string // the key of the record that From is of
}

// references reads whom a body names: all IDs in it that are not of its own parts.
func references(r *record) []reference {
	var out []reference
	own := r.key()
	var walk func(v any, from string)
	walk = func(v any, from string) {
		switch v := v.(type) {
		case object:
			if id, ok := v["id"].(string); ok && strings.HasPrefix(id, "/subscriptions/") {
				_, part := v["name"]
				switch key := keyOf(id); {
				case key == own:
				case part && strings.HasPrefix(key, own+"/"):
					from = id
				default:
					out = append(out, reference{From: from, To: id, holder: own})
				}
			}
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(v[k], from)
			}
		case []any:
			for _, e := range v {
				walk(e, from)
			}
		}
	}
	walk(r.Body, r.ID)
	return out
}

// store is what there is.
type store struct {
	records    map[string]*record
	operations map[string]*operation
	users      map[string]map[string][]reference // by key of what is named, then by holder
	db         *bbolt.DB                         // nil: in memory
}

var (
	recordsBucket    = []byte("records")
	operationsBucket = []byte("operations")
)

// openStore reads a file, or makes it; "" keeps nothing.
func openStore(file string) (*store, error) {
	s := &store{records: map[string]*record{}, operations: map[string]*operation{}, users: map[string]map[string][]reference{}}
	if file == "" {
		return s, nil
	}
	var err error
	s.db, err = bbolt.Open(file, 0o600, &bbolt.Options{Timeout: lockTimeout, NoSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("%s: another emulator has it; give each a folder of its own", file)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		if err := load(tx, recordsBucket, func(r *record) { s.set(r.key(), r) }); err != nil {
			return err
		}
		return load(tx, operationsBucket, func(op *operation) { s.operations[op.ID] = op })
	})
	if err != nil {
		s.db.Close()
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

func load[T any](tx *bbolt.Tx, bucket []byte, add func(*T)) error {
	b, err := tx.CreateBucketIfNotExists(bucket)
	if err != nil {
		return err
	}
	return b.ForEach(func(k, v []byte) error {
		t := new(T)
		if err := json.Unmarshal(v, t); err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		add(t)
		return nil
	})
}

func (s *store) close() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// set puts a record in its place; nil removes it.
func (s *store) set(key string, r *record) {
	if old := s.records[key]; old != nil {
		for _, ref := range references(old) {
			delete(s.users[keyOf(ref.To)], key)
		}
	}
	if r == nil {
		delete(s.records, key)
		return
	}
	s.records[key] = r
	for _, ref := range references(r) {
		to := keyOf(ref.To)
		if s.users[to] == nil {
			s.users[to] = map[string][]reference{}
		}
		s.users[to][key] = append(s.users[to][key], ref)
	}
}

// keep writes what a transaction changed, all or nothing.
func (s *store) keep(records map[string]*record, operations map[string]*operation) error {
	if s.db == nil {
		return nil
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(recordsBucket)
		for key, r := range records {
			if err := put(b, key, r); err != nil {
				return err
			}
		}
		b = tx.Bucket(operationsBucket)
		for key, op := range operations {
			if err := put(b, key, op); err != nil {
				return err
			}
		}
		return nil
	})
}

func put[T any](b *bbolt.Bucket, key string, v *T) error {
	if v == nil {
		return b.Delete([]byte(key))
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put([]byte(key), data)
}
