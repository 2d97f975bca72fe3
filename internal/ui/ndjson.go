package ui

import (
	"io"
	"strconv"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/value"
)

// jsonProgress writes one JSON object a line, after Terraform's `apply -json`:
//
//	@level      "info", "warn" or "error"
//	@message    what a person would read
//	@module     "swarmscript.ui"
//	@timestamp  RFC 3339, UTC, microseconds
//	type        apply_start, apply_progress, apply_retry, apply_complete,
//	            apply_errored, apply_skipped, log; and at the end, from
//	            [SummaryJSON], diagnostic, change_summary, outputs
//	hook        of the apply_ types:
//	  resource          {addr, kind, name, scope}
//	  action            no-op, read, check, create, update, replace, new-version, delete
//	  phase             "destroy" in the first half of a replacement
//	  elapsed_seconds   since the step began
//	  done, total       tasks, where they can be counted
//	  text              what it waits for, or why
//	  error             of apply_errored: the whole of it
type jsonProgress struct {
	w     io.Writer
	limit *limiter
	began map[step]time.Time
	words words // without short names: addresses are whole for machines
	b     []byte
}

func (j *jsonProgress) Close() {}

var eventTypes = map[apply.EventType]string{
	apply.Started: "apply_start", apply.Progressed: "apply_progress", apply.Retried: "apply_retry",
	apply.Finished: "apply_complete", apply.Failed: "apply_errored", apply.Skipped: "apply_skipped",
	apply.Notice: "log",
}

var actionNames = [...]string{
	plan.NoOp: "no-op", plan.Read: "read", plan.Check: "check", plan.Create: "create", plan.Update: "update",
	plan.Replace: "replace", plan.NewVersion: "new-version", plan.Delete: "delete", plan.Release: "release",
}

func (j *jsonProgress) Event(e apply.Event) {
	if !j.limit.allow(e) {
		return
	}
	switch e.Type {
	case apply.Started:
		j.began[stepOf(e)] = e.Time
	case apply.Progressed, apply.Retried:
		if began, ok := j.began[stepOf(e)]; ok && e.Elapsed == 0 {
			e.Elapsed = e.Time.Sub(began)
		}
	}
	level := "info"
	switch e.Type {
	case apply.Failed:
		level = "error"
	case apply.Skipped, apply.Retried:
		level = "warn"
	}
	message := j.words.sentence(e)
	if e.Address != "" {
		message = clean(string(e.Address)) + ": " + message
	}
	b := appendEventHead(j.b[:0], level, message, e.Time, eventTypes[e.Type])
	if e.Address != "" {
		b = append(b, `,"hook":{"resource":`...)
		b = appendResource(b, e.Address)
		b = append(b, `,"action":"`+actionNames[e.Action]+`"`...)
		if e.Phase == plan.Destroy {
			b = append(b, `,"phase":"destroy"`...)
		}
		if e.Type != apply.Started && e.Type != apply.Skipped {
			b = append(b, `,"elapsed_seconds":`...)
			b = strconv.AppendFloat(b, e.Elapsed.Seconds(), 'f', 1, 64)
		}
		if e.Total > 0 {
			b = strconv.AppendInt(append(b, `,"done":`...), int64(e.Done), 10)
			b = strconv.AppendInt(append(b, `,"total":`...), int64(e.Total), 10)
		}
		if e.Text != "" {
			b = appendJSONString(append(b, `,"text":`...), said(e))
		}
		if e.Err != nil {
			b = appendJSONString(append(b, `,"error":`...), e.Err.Error())
		}
		b = append(b, '}')
	}
	j.b = append(b, '}', '\n')
	j.w.Write(j.b) // there is nobody to tell that telling failed
}

func appendEventHead(b []byte, level, message string, at time.Time, typ string) []byte {
	b = append(b, `{"@level":"`+level+`","@message":`...)
	b = appendJSONString(b, message)
	b = append(b, `,"@module":"swarmscript.ui","@timestamp":"`...)
	b = at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	return append(b, `","type":"`+typ+`"`...)
}

func appendResource(b []byte, a value.Address) []byte {
	b = appendJSONString(append(b, `{"addr":`...), string(a))
	b = appendJSONString(append(b, `,"kind":`...), a.Kind())
	b = appendJSONString(append(b, `,"name":`...), a.Name())
	b = appendJSONString(append(b, `,"scope":`...), a.Scope())
	return append(b, '}')
}
