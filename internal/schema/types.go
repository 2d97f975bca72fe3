package schema

import (
	"fmt"
	"reflect"
	"time"

	"github.com/swarmscript/swarmscript/internal/value"
)

var (
	durationType  = reflect.TypeFor[time.Duration]()
	sizeType      = reflect.TypeFor[Size]()
	cpusType      = reflect.TypeFor[NanoCPUs]()
	modeType      = reflect.TypeFor[FileMode]()
	normalerType  = reflect.TypeFor[Normaler]()
	referrerType  = reflect.TypeFor[Referrer]()
	shortFormType = reflect.TypeFor[ShortForm]()
	anyType       = reflect.TypeFor[any]()
)

func typeOf(t reflect.Type) *Type {
	out := &Type{goType: t}
	switch t {
	case durationType:
		out.Kind = Duration
		return out
	case sizeType:
		out.Kind = Bytes
		return out
	case cpusType:
		out.Kind = CPUs
		return out
	case modeType:
		out.Kind = Mode
		return out
	case anyType:
		out.Kind = Any
		return out
	}
	switch t.Kind() {
	case reflect.Bool:
		out.Kind = Bool
	case reflect.Int, reflect.Int32, reflect.Int64:
		out.Kind = Int
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		out.Kind = Int
	case reflect.Float64:
		out.Kind = Float
	case reflect.String:
		out.Kind = String
		if t.Implements(normalerType) {
			out.normal = func(s string) (string, error) {
				v := reflect.New(t).Elem()
				v.SetString(s)
				return v.Interface().(Normaler).Normal()
			}
		}
		if t.Implements(referrerType) {
			out.refers = func(s string) string {
				v := reflect.New(t).Elem()
				v.SetString(s)
				return v.Interface().(Referrer).RefersTo()
			}
		}
	case reflect.Slice:
		out.Kind, out.Elem = ListOf, typeOf(t.Elem())
		if reflect.PointerTo(t).Implements(shortFormType) {
			out.parse = func(s string) (value.Value, error) {
				v := reflect.New(t)
				if err := v.Interface().(ShortForm).ParseShort(s); err != nil {
					return nil, err
				}
				return out.encode(v.Elem()), nil
			}
		}
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			panic(fmt.Sprintf("schema: %s: a map's keys must be strings", t))
		}
		out.Kind, out.Elem = MapOf, typeOf(t.Elem())
	case reflect.Struct:
		out.Kind, out.Struct = StructOf, ofType(t)
		if reflect.PointerTo(t).Implements(shortFormType) {
			out.parse = func(s string) (value.Value, error) {
				v := reflect.New(t)
				if err := v.Interface().(ShortForm).ParseShort(s); err != nil {
					return nil, err
				}
				return out.Struct.Encode(v.Interface()), nil
			}
		}
	case reflect.Pointer: // an element that may be None; a field's own pointer is taken off before
		out = typeOf(t.Elem())
		out.Null = true
	default:
		panic(fmt.Sprintf("schema: type %s is not supported", t))
	}
	return out
}
