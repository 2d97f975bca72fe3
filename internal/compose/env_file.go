package compose

import (
	"bytes"
	"fmt"
	"maps"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/cli/pkg/kvfile"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// envFiles adds to the environment of each service what its env files say. It is
// said by environment where both say it, and by the last file that does.
func (in *input) envFiles(p *types.Project) (problems diag.List) {
	for _, name := range p.ServiceNames() {
		s := p.Services[name]
		own := s.Environment.Resolve(p.Environment.Resolve)
		env := own.ToMapping()
		for _, f := range s.EnvFiles {
			if rel, ok := in.rel(f.Path); ok && !bool(f.Required) && !in.o.Exists(rel) {
				continue
			}
			before, asked := maps.Clone(env), map[string]bool{}
			if err := in.envFile(f, env, p.Environment, asked); err != nil {
				problems = append(problems, &diag.Diagnostic{Pos: in.at("services", name, "env_file"), Summary: err.Error()})
			}
			for k, v := range env {
				if _, over := own[k]; v != "" && v != before[k] && !over && !asked[k] {
					in.envFiled[k] = true
				}
			}
		}
		s.Environment, s.EnvFiles = env.ToMappingWithEquals().OverrideBy(own), nil
		p.Services[name] = s
	}
	return problems
}

// envFile reads one env file into env. Where its format is not said, it is read as
// docker stack deploy does: what is behind the first = is the value, to the end of
// the line, quotes and dollars too. Compose's own format is .env. It notes in asked
// what it has asked the environment for.
func (in *input) envFile(f types.EnvFile, env, project types.Mapping, asked map[string]bool) error {
	data, err := in.content(f.Path)
	if err != nil {
		return err
	}
	lookup := func(name string) (string, bool) {
		asked[name] = true
		if v, ok := project.Resolve(name); ok {
			return v, true
		}
		if v, ok := env[name]; ok {
			return v, true
		}
		return in.lookup(name)
	}
	if f.Format != "" && f.Format != "raw" || !f.Required {
		if f.Format != "" && f.Format != dotenv.DotEnv {
			return fmt.Errorf("env_file: there is no format %q: want %s or raw", f.Format, dotenv.DotEnv)
		}
		return in.badVariables(f.Path, dotenv.ParseWithFormat(bytes.NewReader(data), f.Path, env, lookup, f.Format))
	}
	lines, err := kvfile.ParseFromReader(bytes.NewReader(data), lookup)
	for _, line := range lines {
		name, text, _ := strings.Cut(line, "=")
		env[name] = text
	}
	return in.badVariables(f.Path, err)
}

// takeLabelFiles takes the files of labels off the services, which compose-go would
// read from wherever they are, and returns them by service.
func takeLabelFiles(model map[string]any) map[string][]string {
	out := map[string][]string{}
	services, _ := model["services"].(map[string]any)
	for name, s := range services {
		s, _ := s.(map[string]any)
		switch files := s["label_file"].(type) {
		case string:
			out[name] = []string{files}
		case []any:
			for _, f := range files {
				if f, ok := f.(string); ok {
					out[name] = append(out[name], f)
				}
			}
		}
		delete(s, "label_file")
	}
	return out
}

// labelFiles adds to the labels of each service what its files of labels say. It is
// said by labels where both say it, and by the last file that does.
func (in *input) labelFiles(p *types.Project, files map[string][]string) (problems diag.List) {
	for _, name := range p.ServiceNames() {
		s, labels := p.Services[name], map[string]string{}
		lookup := func(name string) (string, bool) { v, ok := labels[name]; return v, ok }
		for _, f := range files[name] {
			data, err := in.content(f)
			if err == nil {
				err = in.badVariables(f, dotenv.ParseWithFormat(bytes.NewReader(data), f, labels, lookup, ""))
			}
			if err != nil {
				problems = append(problems, &diag.Diagnostic{Pos: in.at("services", name, "label_file"), Summary: err.Error()})
			}
		}
		if maps.Copy(labels, s.Labels); len(labels) > 0 {
			s.Labels = labels
			p.Services[name] = s
		}
	}
	return problems
}

func (in *input) badVariables(file string, err error) error {
	if err == nil {
		return nil
	}
	if rel, ok := in.rel(file); ok {
		file = rel
	}
	return fmt.Errorf("%s is %s", file, variableErr(err))
}
