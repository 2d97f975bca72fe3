package plan

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// A saved plan is two lines and a gzip stream of JSON:
//
//	swarmscript plan 1
//	sha256 <of the first line and the stream, in hex>
//
// The number is the format's. The digest finds what was cut short or changed;
// it is no signature: an apply believes nothing of a file but compares all of
// it with what it finds itself.

const (
	magic      = "swarmscript plan "
	fileFormat = "1"
	// maxFile and maxJSON bound what a reader takes into memory.
	maxFile = 32 << 20
	maxJSON = 128 << 20
)

// File is a saved plan: what was planned, from what, and what was asked for.
// Nothing sensitive is in it. Where it must be told whether a value is still
// the same, there is a seal of it, which only shows that.
type File struct {
	// Program is the version that wrote it; another one does not apply it, as
	// its arguments need not mean the same.
	Program string    `json:"program"`
	Created time.Time `json:"created"`
	Project string    `json:"project"`
	// Script is the entry script as it was given, and Dir the folder that the
	// program worked in; Chdir is set where that is the root too.
	Script string `json:"script"`
	Dir    string `json:"dir"`
	Chdir  bool   `json:"chdir,omitempty"`
	Wishes Wishes `json:"options"`
	// Vars are the plain values of --var, Env what was read of the environment,
	// nil where it was not set.
	Vars     map[string]string  `json:"vars,omitempty"`
	Env      map[string]*string `json:"env,omitempty"`
	VarFiles []string           `json:"var_files,omitempty"`
	// Salt is the seals'. Key names the project's hash key, which goes into them
	// too: without it nobody can try values against them. It is "" before there
	// is one.
	Salt []byte `json:"salt"`
	Key  string `json:"key,omitempty"`
	// Seals of scripts, files, var files, and sensitive inputs.
	Seals []Seal `json:"seals"`
	// Values is the seal of all that the steps write, hidden values too.
	Values string      `json:"values"`
	Scopes []FileScope `json:"scopes"`
	Plan   *Plan       `json:"-"`
}

// Wishes are the options that belong to a plan.
type Wishes struct {
	Options
	Forget      []string `json:"forget,omitempty"`
	RefreshOnly bool     `json:"refresh_only,omitempty"`
	Provider    string   `json:"provider,omitempty"`
	Lab         string   `json:"lab,omitempty"`
}

// Seal stands for an input: two are equal where the inputs are.
type Seal struct {
	Kind string `json:"kind"` // "module", "file", "folder", "var-file", "var", "env"
	Name string `json:"name"`
	Sum  string `json:"sum"` // "" where it was not given
}

// FileScope is a scope as it was observed.
type FileScope struct {
	Address string `json:"address"`
	Type    string `json:"type"`
	// Identity is the engine's or the swarm's ID, "" where it does not exist.
	Identity string `json:"identity,omitempty"`
}

// IsFile reports whether a file that begins like this is a saved plan.
func IsFile(head []byte) bool { return bytes.HasPrefix(head, []byte(magic)) }

// Encode returns the file's bytes.
func (f *File) Encode() ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	err := json.NewEncoder(w).Encode(struct {
		*File
		Plan planJSON `json:"plan"`
	}{f, f.Plan.Hidden().encode()})
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	first := magic + fileFormat + "\n"
	return fmt.Appendf(nil, "%ssha256 %s\n%s", first, fileSum(first, b.Bytes()), b.Bytes()), nil
}

func fileSum(first string, data []byte) string {
	h := sha256.New()
	io.WriteString(h, first)
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// DecodeFile reads a saved plan. The errors say what is wrong with it, without
// its name. A file whose plan makes no sense to this program is returned too,
// for the version that wrote it.
func DecodeFile(r io.Reader, kinds func(scope, name string) *resource.Kind) (*File, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) == 0:
		return nil, errors.New("is empty, not a saved plan")
	case !IsFile(data):
		return nil, errors.New("is not a saved plan")
	case len(data) > maxFile:
		return nil, fmt.Errorf("is larger than a saved plan can be: %d MiB", maxFile>>20)
	}
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	format := string(first[len(magic):])
	if format != fileFormat {
		return nil, fmt.Errorf("has the format %.20q, and this program knows %s: another version of swarmscript wrote it", format, fileFormat)
	}
	second, stream, _ := bytes.Cut(rest, []byte("\n"))
	if sum := fileSum(string(first)+"\n", stream); string(second) != "sha256 "+sum {
		return nil, errors.New("is damaged: it was cut short, or changed, after it was saved")
	}
	return decodeStream(stream, maxJSON, kinds)
}

// decodeStream takes no more than most bytes of JSON into memory, however little
// they were packed into.
func decodeStream(stream []byte, most int64, kinds func(scope, name string) *resource.Kind) (*File, error) {
	damaged := func(err error) (*File, error) { return nil, fmt.Errorf("is damaged: %w", err) }
	z, err := gzip.NewReader(bytes.NewReader(stream))
	if err != nil {
		return damaged(err)
	}
	text, err := io.ReadAll(io.LimitReader(z, most+1))
	if err != nil {
		return damaged(err)
	}
	if int64(len(text)) > most {
		return damaged(fmt.Errorf("it unpacks to more than %d bytes", most))
	}
	f := &File{}
	in := struct {
		*File
		Plan planJSON `json:"plan"`
	}{File: f}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&in); err != nil {
		return damaged(inWords(err))
	}
	if in.File == nil {
		return damaged(errors.New("it holds nothing"))
	}
	if f.Plan, err = (decoder{kinds}).plan(in.Plan, f.Project); err != nil {
		return f, fmt.Errorf("cannot be read: %w", err) // whose it is, it says
	}
	return f, nil
}

// inWords says without the names of Go's types what JSON holds that it should not.
func inWords(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	path := slices.DeleteFunc(strings.Split(wrong.Field, "."), func(s string) bool {
		return s == "" || 'A' <= s[0] && s[0] <= 'Z' // a struct within, of which the file knows nothing
	})
	if len(path) == 0 {
		return fmt.Errorf("it holds no plan but: %s", wrong.Value)
	}
	return fmt.Errorf("%s is not what a plan has there but: %s", strings.Join(path, "."), wrong.Value)
}

// Written returns a plan as it would be read back from a file, which is how
// two plans are compared.
func Written(p *Plan, kinds func(scope, name string) *resource.Kind) (*Plan, error) {
	text, err := json.Marshal(p.Hidden().encode())
	if err != nil {
		return nil, err
	}
	var in planJSON
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&in); err != nil {
		return nil, err
	}
	return (decoder{kinds}).plan(in, p.Project)
}
