package value

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Bytes writes a plain value, so that [FromBytes] gives it back as it was: a
// letter for what it is, then its length and content. A value that refers to
// others is an error.
func Bytes(v Value) ([]byte, error) { return appendValue(nil, v) }

func appendValue(b []byte, v Value) (_ []byte, err error) {
	switch v := v.(type) {
	case nil:
		return append(b, 'n'), nil
	case bool:
		if v {
			return append(b, 't'), nil
		}
		return append(b, 'f'), nil
	case int64:
		return binary.AppendVarint(append(b, 'i'), v), nil
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 'd'), math.Float64bits(v)), nil
	case string:
		return appendText(append(b, 's'), v), nil
	case List:
		return appendAll(append(b, 'l'), v)
	case Struct:
		return appendAll(append(b, 'r'), v)
	case Secret:
		return appendValue(append(b, 'x'), v.V)
	case *Map:
		b = binary.AppendUvarint(append(b, 'm'), uint64(v.Len()))
		for _, e := range v.all() {
			if b, err = appendValue(appendText(b, e.Key), e.Value); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	return nil, fmt.Errorf("a %T is not plain", v)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendAll(b []byte, list []Value) (_ []byte, err error) {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, v := range list {
		if b, err = appendValue(b, v); err != nil {
			return nil, err
		}
	}
	return b, nil
}

var errBytes = errors.New("these bytes are not a value")

// deepest is how far values may be inside each other, in what is read.
const deepest = 1000

// FromBytes reads what [Bytes] wrote. Whatever the bytes are, there is a value
// or an error.
func FromBytes(b []byte) (Value, error) {
	r := &byteReader{rest: b}
	v := r.value(0)
	if r.wrong || len(r.rest) > 0 {
		return nil, errBytes
	}
	return v, nil
}

// byteReader takes values off the front; wrong says that one was none.
type byteReader struct {
	rest  []byte
	wrong bool
}

func (r *byteReader) take(n uint64) []byte {
	if r.wrong || n > uint64(len(r.rest)) {
		r.wrong, r.rest = true, nil
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

// number reads what binary.Varint or binary.Uvarint does.
func number[T int64 | uint64](r *byteReader, read func([]byte) (T, int)) T {
	v, n := read(r.rest)
	if n <= 0 {
		r.wrong = true
		return 0
	}
	r.take(uint64(n))
	return v
}

// length is how many follow, of which each takes a byte at least.
func (r *byteReader) length() uint64 {
	n := number(r, binary.Uvarint)
	if n > uint64(len(r.rest)) {
		r.wrong = true
		return 0
	}
	return n
}

func (r *byteReader) text() string { return string(r.take(r.length())) }

func (r *byteReader) values(depth int) []Value {
	out := make([]Value, r.length())
	for i := range out {
		out[i] = r.value(depth)
	}
	return out
}

func (r *byteReader) value(depth int) Value {
	what := r.take(1)
	if r.wrong || depth > deepest {
		r.wrong = true
		return nil
	}
	switch what[0] {
	case 'n':
		return nil
	case 't', 'f':
		return what[0] == 't'
	case 'i':
		return number(r, binary.Varint)
	case 'd':
		if bits := r.take(8); bits != nil {
			return math.Float64frombits(binary.BigEndian.Uint64(bits))
		}
		return nil
	case 's':
		return r.text()
	case 'l':
		return List(r.values(depth + 1))
	case 'r':
		return Struct(r.values(depth + 1))
	case 'x':
		return Secret{V: r.value(depth + 1)}
	case 'm':
		entries := make([]Entry, r.length())
		for i := range entries {
			entries[i] = Entry{Key: r.text(), Value: r.value(depth + 1)}
		}
		return NewMap(entries)
	}
	r.wrong = true
	return nil
}
