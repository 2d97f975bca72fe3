package lang

import (
	"fmt"
	"runtime/metrics"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// Limits bound what scripts may use. Zero means the default.
type Limits struct {
	MaxSteps  uint64 // over all modules of a session; default 100 million, about a second
	MaxDepth  int    // levels of nesting of one value; default 500
	MaxSize   int    // bytes of one string, elements of one list; default 16 million
	MaxMemory uint64 // growth of the heap during one evaluation; default 1 GiB
}

func (l Limits) orDefault() Limits {
	if l.MaxSteps == 0 {
		l.MaxSteps = 100_000_000
	}
	if l.MaxDepth == 0 {
		l.MaxDepth = 500
	}
	if l.MaxSize == 0 {
		l.MaxSize = 16_000_000
	}
	if l.MaxMemory == 0 {
		l.MaxMemory = 1 << 30
	}
	return l
}

var defaultLimits = Limits{}.orDefault()

func limitsOf(thread *starlark.Thread) Limits {
	if s := FromThread(thread); s != nil {
		return s.limits
	}
	return defaultLimits
}

// checkInterval is how many steps pass between two looks at the heap. A step
// allocates about 100 bytes at most; what a guarded operation allocates is
// counted in steps.
const checkInterval = 1_000_000

func (s *Session) scheduleCheckpoint() {
	s.thread.SetMaxExecutionSteps(min(s.thread.Steps+checkInterval, s.limits.MaxSteps))
}

// checkpoint is called by the interpreter when the steps that
// scheduleCheckpoint set are used up.
func (s *Session) checkpoint(thread *starlark.Thread) {
	switch {
	case thread.Steps >= s.limits.MaxSteps:
		thread.Cancel(fmt.Sprintf("too many steps: a script may take %d in all", s.limits.MaxSteps))
	case heapInUse() > s.baseHeap+s.limits.MaxMemory: // what single steps allocate, allocates does not see
		thread.Cancel(fmt.Sprintf("too much memory: a script may use %d MiB", s.limits.MaxMemory>>20))
	}
	s.scheduleCheckpoint()
}

func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// charge counts work that a builtin did for a script: bytes copied or elements
// looked at. It is an error once the budget is spent, so that a loop of large
// copies ends before the next step would.
func charge(thread *starlark.Thread, n int) error {
	const free = 256 // not worth counting
	if n <= free {
		return nil
	}
	thread.Steps += uint64(n / 16)
	s := FromThread(thread)
	if s == nil {
		return nil
	}
	if thread.Steps >= s.limits.MaxSteps {
		return fmt.Errorf("too many steps: a script may take %d in all", s.limits.MaxSteps)
	}
	return nil
}

// allocates is asked before an operation that makes so many bytes. Looking at
// the heap costs some microseconds, so it is done for large operations, and
// for many small ones together. Garbage counts: it is memory until it is
// collected, and what a process may use is what it has.
func allocates(thread *starlark.Thread, bytes int) error {
	s := FromThread(thread)
	if s == nil {
		return nil
	}
	if s.unseen += bytes; s.unseen < 8<<20 {
		return nil
	}
	s.unseen = 0
	if heapInUse()+uint64(bytes) > s.baseHeap+s.limits.MaxMemory {
		return fmt.Errorf("too much memory: a script may use %d MiB", s.limits.MaxMemory>>20)
	}
	return nil
}

// elementBytes is what an element of a list takes.
const elementBytes = 16

// checkSize refuses a string or a list above the limit, and charges for it.
func checkSize(thread *starlark.Thread, what string, n int) error {
	if limit := limitsOf(thread).MaxSize; n > limit {
		return fmt.Errorf("%s too large: more than %d", what, limit)
	}
	each := elementBytes
	switch what {
	case "string", "bytes", "text":
		each = 1
	}
	if err := allocates(thread, n*each); err != nil {
		return err
	}
	return charge(thread, n)
}

// meter measures what a recursion over a value would cost, as if shared parts
// were copied, before anything recurses. It recurses itself, no deeper than
// its limit.
type meter struct {
	maxDepth int
	maxSize  int
	hashed   bool // only what hashing visits: tuples and structs

	size     int       // elements and bytes of text seen
	deferred *Deferred // the first that was seen
	path     []starlark.Value
	onPath   map[starlark.Value]bool
}

func newMeter(thread *starlark.Thread) *meter {
	l := limitsOf(thread)
	return &meter{maxDepth: l.MaxDepth, maxSize: l.MaxSize}
}

var errTooDeep = fmt.Errorf("the value is nested too deep")

func (m *meter) add(n int) error {
	m.size += n
	if m.size > m.maxSize {
		return fmt.Errorf("the value is too large: more than %d elements and bytes", m.maxSize)
	}
	return nil
}

func (m *meter) visit(v starlark.Value, depth int) error {
	switch v := v.(type) {
	case starlark.String:
		return m.add(len(v) + 2)
	case starlark.Bytes:
		return m.add(len(v) + 3)
	case starlark.Int:
		if _, small := v.Int64(); !small {
			return m.add(v.BigInt().BitLen()/3 + 1)
		}
		return m.add(1)
	case *Deferred:
		if m.deferred == nil {
			m.deferred = v
		}
		return m.add(1)
	case starlark.Tuple:
		if depth >= m.maxDepth {
			return tooDeep(m.maxDepth)
		}
		if err := m.add(len(v) + 2); err != nil {
			return err
		}
		for _, e := range v {
			if err := m.visit(e, depth+1); err != nil {
				return err
			}
		}
		return nil
	case *starlarkstruct.Struct:
		if depth >= m.maxDepth {
			return tooDeep(m.maxDepth)
		}
		names := v.AttrNames()
		if err := m.add(2*len(names) + 8); err != nil {
			return err
		}
		// The text of a struct forgets what is around it, so a list that
		// holds itself through a struct has no end.
		path, onPath := m.path, m.onPath
		m.path, m.onPath = nil, nil
		defer func() { m.path, m.onPath = path, onPath }()
		for _, name := range names {
			e, err := v.Attr(name)
			if err != nil {
				return err
			}
			if err := m.add(len(name)); err != nil {
				return err
			}
			if err := m.visit(e, depth+1); err != nil {
				return err
			}
		}
		return nil
	case *starlark.List:
		return m.container(v, v.Len(), depth, func(yield func(starlark.Value) bool) {
			for i := 0; i < v.Len(); i++ {
				if !yield(v.Index(i)) {
					return
				}
			}
		})
	case *starlark.Dict:
		return m.container(v, 2*v.Len(), depth, func(yield func(starlark.Value) bool) {
			for k, e := range v.Entries() {
				if !yield(k) || !yield(e) {
					return
				}
			}
		})
	case *starlark.Set:
		return m.container(v, v.Len(), depth, v.Elements())
	}
	return m.add(1)
}

// container visits what can hold itself: as in the text of a list, what is
// being visited already is not entered again.
func (m *meter) container(v starlark.Value, n, depth int, elems func(func(starlark.Value) bool)) error {
	if m.hashed {
		return m.add(1) // hashing stops here, with an error
	}
	if depth >= m.maxDepth {
		return tooDeep(m.maxDepth)
	}
	if err := m.add(n + 2); err != nil {
		return err
	}
	if n == 0 || m.entered(v) {
		return nil
	}
	m.path = append(m.path, v)
	if m.onPath != nil {
		m.onPath[v] = true
	}
	var err error
	elems(func(e starlark.Value) bool {
		err = m.visit(e, depth+1)
		return err == nil
	})
	m.path = m.path[:len(m.path)-1]
	delete(m.onPath, v)
	return err
}

func (m *meter) entered(v starlark.Value) bool {
	if m.onPath != nil {
		return m.onPath[v]
	}
	for _, p := range m.path {
		if p == v {
			return true
		}
	}
	if len(m.path) == 16 {
		m.onPath = make(map[starlark.Value]bool)
		for _, p := range m.path {
			m.onPath[p] = true
		}
	}
	return false
}

func tooDeep(limit int) error {
	return fmt.Errorf("%w: more than %d levels", errTooDeep, limit)
}

// isScalar reports whether a value holds no others, so that nothing about it
// has to be measured.
func isScalar(v starlark.Value) bool {
	switch v.(type) {
	case starlark.String, starlark.Int, starlark.Bool, starlark.NoneType, starlark.Float:
		return true
	}
	return false
}

// checkTuple measures a tuple or struct that was just built. Hashing recurses
// into these from places that cannot be guarded; they never change, so once is
// enough.
func checkTuple(thread *starlark.Thread, v starlark.Value) error {
	nested := false
	switch v := v.(type) {
	case starlark.Tuple:
		for _, e := range v {
			switch e := e.(type) {
			case starlark.Tuple, *starlarkstruct.Struct:
				nested = true
			case starlark.String:
				nested = nested || len(e) > 1024
			}
		}
	default:
		nested = true
	}
	if !nested {
		return nil
	}
	m := newMeter(thread)
	m.hashed = true
	if err := m.visit(v, 0); err != nil {
		return err
	}
	return charge(thread, m.size)
}
