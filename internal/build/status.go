package build

import "google.golang.org/protobuf/encoding/protowire"

// buildStatus is what BuildKit tells of a build: that part of StatusResponse in its control
// API (moby/buildkit, api/services/control/control.proto) which is shown. The types that
// are generated from it would bring those of all that BuildKit can do: a megabyte.
type buildStatus struct {
	vertexes []vertex
	amounts  []amount
	logs     []output
}

// vertex is a Vertex: a step of the build.
type vertex struct {
	digest, name               string
	started, completed, failed bool
}

// amount is a VertexStatus: how much of something a step has done.
type amount struct {
	vertex    string
	current   int64
	completed bool
}

// output is a VertexLog: a piece of what a step writes.
type output struct {
	vertex string
	text   []byte
}

func readStatus(message []byte) (buildStatus, error) {
	var s buildStatus
	err := eachField(message, func(number protowire.Number, text []byte) error {
		switch number {
		case 1:
			v, err := readVertex(text)
			s.vertexes = append(s.vertexes, v)
			return err
		case 2:
			a, err := readAmount(text)
			s.amounts = append(s.amounts, a)
			return err
		case 3:
			o, err := readOutput(text)
			s.logs = append(s.logs, o)
			return err
		}
		return nil
	}, nil)
	return s, err
}

func readVertex(message []byte) (vertex, error) {
	var v vertex
	err := eachField(message, func(number protowire.Number, text []byte) error {
		switch number {
		case 1:
			v.digest = string(text)
		case 3:
			v.name = string(text)
		case 5:
			v.started = true
		case 6:
			v.completed = true
		case 7:
			v.failed = len(text) > 0
		}
		return nil
	}, nil)
	return v, err
}

func readAmount(message []byte) (amount, error) {
	var a amount
	err := eachField(message, func(number protowire.Number, text []byte) error {
		switch number {
		case 2:
			a.vertex = string(text)
		case 8:
			a.completed = true
		}
		return nil
	}, func(number protowire.Number, n uint64) {
		if number == 4 {
			a.current = int64(n)
		}
	})
	return a, err
}

func readOutput(message []byte) (output, error) {
	var o output
	err := eachField(message, func(number protowire.Number, text []byte) error {
		switch number {
		case 1:
			o.vertex = string(text)
		case 4:
			o.text = text
		}
		return nil
	}, nil)
	return o, err
}

// eachField calls text for each field of a message that is a string or a message, and
// num, which may be nil, for each whole number. It skips others.
func eachField(message []byte, text func(protowire.Number, []byte) error, num func(protowire.Number, uint64)) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return protowire.ParseError(n)
		}
		switch kind {
		case protowire.BytesType:
			v, _ := protowire.ConsumeBytes(message)
			if err := text(number, v); err != nil {
				return err
			}
		case protowire.VarintType:
			if v, _ := protowire.ConsumeVarint(message); num != nil {
				num(number, v)
			}
		}
		message = message[n:]
	}
	return nil
}
