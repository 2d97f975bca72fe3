package debian

import (
	"context"
	"strconv"
	"strings"
)

func (sh *shell) doGetopts(_ context.Context, args []string) int {
	if len(args) < 3 {
		return sh.say(args, 2, "Usage: getopts optstring var [arg]")
	}
	letters, name, words := args[1], args[2], args[3:]
	if len(args) == 3 {
		words = sh.params
	}
	at, _ := strconv.Atoi(sh.get("OPTIND"))
	at = max(at, 1)
	if at > len(words) || len(words[at-1]) < 2 || words[at-1][0] != '-' || words[at-1] == "--" {
		if at <= len(words) && words[at-1] == "--" {
			sh.put("OPTIND", strconv.Itoa(at+1))
		}
		sh.optPlace = 0
		sh.put(name, "?")
		return 1
	}
	word := words[at-1]
	sh.optPlace = max(sh.optPlace, 1)
	letter := word[sh.optPlace]
	sh.optPlace++
	next := func() {
		if sh.optPlace >= len(word) {
			at++
			sh.optPlace = 0
		}
	}
	quiet := strings.HasPrefix(letters, ":")
	i := strings.IndexByte(strings.TrimPrefix(letters, ":"), letter)
	rest := strings.TrimPrefix(letters, ":")
	sh.unset("OPTARG")
	switch {
	case i < 0 || letter == ':':
		next()
		sh.put(name, "?")
		if quiet {
			sh.put("OPTARG", string(letter))
		} else {
			sh.errorf("Illegal option -%c", letter)
		}
	case i+1 < len(rest) && rest[i+1] == ':':
		sh.optArgument(name, word, words, letter, quiet, &at)
	default:
		next()
		sh.put(name, string(letter))
	}
	sh.put("OPTIND", strconv.Itoa(at))
	return 0
}

// optArgument takes the value of an option for getopts.
func (sh *shell) optArgument(name, word string, words []string, letter byte, quiet bool, at *int) {
	value, given := word[sh.optPlace:], sh.optPlace < len(word)
	if !given && *at < len(words) {
		value, given = words[*at], true
		*at++
	}
	*at++
	sh.optPlace = 0
	switch {
	case given:
		sh.put(name, string(letter))
		sh.put("OPTARG", value)
	case quiet:
		sh.put(name, ":")
		sh.put("OPTARG", string(letter))
	default:
		sh.errorf("No arg for -%c option", letter)
		sh.put(name, "?")
	}
}
