package value

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// plain are values of every sort, empty ones and text that is not UTF-8 among
// them.
var plain = []Value{
	nil, true, false, int64(0), int64(-1) << 63, 1.5, "", "text\xff\x00", List{}, Struct{}, NewMap([]Entry{}),
	List{nil, List{}, Struct{nil, "a"}}, Secret{V: "pw"}, Secret{V: nil},
	NewMap([]Entry{{"b", int64(2)}, {"a", List{"x", NewMap([]Entry{{"", nil}})}}}),
}

func TestBytes(t *testing.T) {
	for _, v := range append(plain, List(plain)) {
		b, err := Bytes(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromBytes(b)
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%#v comes back as %#v, %v", v, got, err)
		}
		for i := range b {
			if _, err := FromBytes(b[:i]); err == nil {
				t.Errorf("%q is read, which is less than %q", b[:i], b)
			}
		}
	}
	for _, v := range []Value{Ref{}, List{&Template{}}, NewMap([]Entry{{"a", Record{}}}), 1} {
		if _, err := Bytes(v); err == nil {
			t.Errorf("a %T is written", v)
		}
	}
	if _, err := FromBytes([]byte(strings.Repeat("x", deepest+2) + "n")); err == nil {
		t.Error("values are as deep as one likes")
	}
}

// Whatever the bytes are, there is an error or a value, which comes back.
func FuzzFromBytes(f *testing.F) {
	for _, v := range plain {
		b, err := Bytes(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := FromBytes(b)
		if err != nil {
			return
		}
		first, err := Bytes(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := FromBytes(first)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := Bytes(again); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%q comes back as %q, %v", first, second, err)
		}
	})
}
