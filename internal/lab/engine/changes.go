package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
	"github.com/google/shlex"
)

// applyChanges carries out the Dockerfile instructions of `docker import --change`.
func applyChanges(config *containertypes.Config, changes []string) error {
	for _, change := range changes {
		word, rest, _ := strings.Cut(strings.TrimSpace(change), " ")
		rest = strings.TrimSpace(rest)
		if err := applyChange(config, strings.ToUpper(word), rest); err != nil {
			return err
		}
	}
	return nil
}

func applyChange(config *containertypes.Config, word, rest string) error {
	switch word {
	case "CMD":
		config.Cmd = jsonOrShell(rest)
	case "ENTRYPOINT":
		config.Entrypoint = jsonOrShell(rest)
	case "ENV":
		return pairs(rest, func(k, v string) { config.Env = append(config.Env, k+"="+v) })
	case "LABEL":
		if config.Labels == nil {
			config.Labels = map[string]string{}
		}
		return pairs(rest, func(k, v string) { config.Labels[k] = v })
	case "EXPOSE":
		ports, _, err := nat.ParsePortSpecs(strings.Fields(rest))
		if err != nil {
			return err
		}
		config.ExposedPorts = ports
	case "USER":
		config.User = rest
	case "WORKDIR":
		config.WorkingDir = rest
	case "STOPSIGNAL":
		config.StopSignal = rest
	case "VOLUME":
		if config.Volumes == nil {
			config.Volumes = map[string]struct{}{}
		}
		for _, path := range strings.Fields(strings.NewReplacer("[", "", "]", "", `"`, "", ",", " ").Replace(rest)) {
			config.Volumes[path] = struct{}{}
		}
	case "HEALTHCHECK":
		return healthcheck(config, rest)
	case "ONBUILD":
		config.OnBuild = append(config.OnBuild, rest)
	default:
		return fmt.Errorf("%s is not a valid change command", word)
	}
	return nil
}

func pairs(text string, set func(k, v string)) error {
	words, err := shlex.Split(text)
	if err != nil {
		return err
	}
	if len(words) > 1 && !strings.Contains(words[0], "=") { // ENV NAME the value
		set(words[0], strings.TrimSpace(strings.TrimPrefix(text, words[0])))
		return nil
	}
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok {
			return fmt.Errorf("syntax error - can't find = in %q. Must be of the form: name=value", w)
		}
		set(k, v)
	}
	return nil
}

func healthcheck(config *containertypes.Config, rest string) error {
	h := &containertypes.HealthConfig{}
	for strings.HasPrefix(rest, "--") {
		flag, more, _ := strings.Cut(rest, " ")
		rest = strings.TrimSpace(more)
		name, value, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		if name == "retries" {
			n, err := strconv.Atoi(value)
			if err != nil {
				return err
			}
			h.Retries = n
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			return err
		}
		switch name {
		case "interval":
			h.Interval = d
		case "timeout":
			h.Timeout = d
		case "start-period":
			h.StartPeriod = d
		case "start-interval":
			h.StartInterval = d
		default:
			return fmt.Errorf("unknown flag: %s", name)
		}
	}
	word, command, _ := strings.Cut(rest, " ")
	switch {
	case word == "NONE":
		h.Test = []string{"NONE"}
	case word != "CMD":
		return fmt.Errorf("unknown type %q in HEALTHCHECK (try CMD)", word)
	case strings.HasPrefix(strings.TrimSpace(command), "["):
		h.Test = append([]string{"CMD"}, jsonOrShell(strings.TrimSpace(command))...)
	default:
		h.Test = []string{"CMD-SHELL", strings.TrimSpace(command)}
	}
	config.Healthcheck = h
	return nil
}
