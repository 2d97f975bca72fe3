package compose

import (
	"strings"
	"testing"
)

// What is warned of, and how often.
func TestWarnings(t *testing.T) {
	for text, want := range map[string][]string{
		"ports: ['0.0.0.0:80:80', '[::]:81:81', '82:82']":                     nil,
		"ports: [{target: 80, published: '80', host_ip: '::'}]":               nil,
		"ports: ['127.0.0.1:8000-8004:8000-8004', '80:80', '10.0.0.1:81:81']": {"ports[0]: host_ip 127.0.0.1 is ignored", "ports[6]: host_ip 10.0.0.1 is ignored"},
		"restart: 'no'":   {"restart: no is ignored"},
		"restart: '${R}'": {"restart: no is ignored"},
		"volumes: ['/srv/a:/a', '/srv//b/:/b:ro', 'named:/n', '/anonymous', '${D}/c:/c', {type: bind, source: /e, target: /e}]": nil,
		"volumes: ['/a:/a', './b:/b']":                               {"volumes[1]: the path is relative, so it is this computer's "},
		"volumes: ['~/b:/b']":                                        {"volumes[0]: the path is relative"},
		"volumes: [{type: bind, source: ../b, target: /b}]":          {"volumes[0]: the path is relative"},
		"extends: {file: base/x.yml, service: base}":                 {"volumes[0]: the path is relative"},
		"restart: always":                                            nil,
		"restart: 'no', deploy: {mode: replicated-job}":              nil,
		"restart: 'no', deploy: {restart_policy: {condition: none}}": {"deploy.restart_policy is what counts"},
	} {
		o, _ := folder(t, map[string]string{"compose.yml": "services: {web: {image: x, " + text + "}}\nvolumes: {named: {}}\n", "base/x.yml": "services: {base: {image: x, volumes: ['./b:/b', '${D}/c:/c']}}\n"})
		o.Vars = map[string]string{"R": "no", "D": "/d"}
		got := load(t, o).Warnings
		ok := len(got) == len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = strings.Contains(got[i].Error(), want[i])
		}
		if !ok {
			t.Errorf("%s: got %v, want %q", text, got, want)
		}
	}
}
