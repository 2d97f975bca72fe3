package plan

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/swarmscript/swarmscript/internal/value"
)

// triggerHash stands for the values of lifecycle(replace_on=) in a mark. It is
// "" while something in them, or the key, is not known: nothing is renewed
// because of it then.
func triggerHash(v value.Value, key []byte) string {
	if key == nil || !value.Known(v) {
		return ""
	}
	h := hmac.New(sha256.New, key)
	writeCanonical(h, v)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// writeCanonical writes a value so that different values differ in bytes.
func writeCanonical(w io.Writer, v value.Value) {
	switch v := value.Reveal(v).(type) {
	case value.List:
		fmt.Fprintf(w, "l%d:", len(v))
		for _, e := range v {
			writeCanonical(w, e)
		}
	case value.Struct:
		fmt.Fprintf(w, "r%d:", len(v))
		for _, e := range v {
			writeCanonical(w, e)
		}
	case *value.Map:
		fmt.Fprintf(w, "m%d:", v.Len())
		if v != nil {
			for _, e := range v.Entries {
				fmt.Fprintf(w, "%d:%s", len(e.Key), e.Key)
				writeCanonical(w, e.Value)
			}
		}
	default:
		s := value.Text(v)
		fmt.Fprintf(w, "%T%d:%s", v, len(s), s)
	}
}
