package builtins_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestEngineAddressHoldsNoPassword(t *testing.T) {
	for _, call := range []string{
		`engine("ssh://u:hunter2@h", name = "x")`, `engine(host = "tcp://u:hunter2@h:2375", name = "x")`,
		`engine("tcp://hunter2@h:2375", name = "x")`, `engine("ssh://u:hunter2@h")`, `engine("u:hunter2@h", name = "x")`,
		`engine("ssh://u:hunter2@h", context = "c")`,
	} {
		_, problems := evaluate(t, "project('p')\n"+call+"\n", nil)
		text := fmt.Sprint(problems)
		for _, p := range problems {
			text += fmt.Sprintf("%+v", *p)
		}
		if !strings.Contains(text, "engine: host: ") || strings.Contains(text, "hunter2") {
			t.Errorf("%s: %s", call, text)
		}
	}
	if _, problems := evaluate(t, "project('p')\nengine('ssh://u@h:22', name = 'x')\n", nil); len(problems) > 0 {
		t.Error(problems)
	}
}
