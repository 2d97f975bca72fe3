package resource

import (
	"errors"
	"slices"
	"strings"
)

// pathSchemes are those of engine addresses whose place is a path or a number,
// in which an @ has no meaning.
var pathSchemes = []string{"unix", "npipe", "fd"}

// CheckUserinfo refuses an engine's address with a password in it, and with a
// user where there is no login: addresses are shown and kept. It reads the
// text, since what is not an address may hold a password too. The error does
// not show it.
func CheckUserinfo(address string) error {
	_, scheme, info, _ := splitAddress(address)
	switch {
	case info == "":
		return nil
	case strings.Contains(info, ":"):
		return errors.New("an address holds no password: ssh uses keys and the agent, tcp uses TLS certificates")
	case scheme != "ssh":
		return errors.New("only an ssh:// address has a user: tcp uses TLS certificates")
	}
	return nil
}

// RedactAddress is an address as it may be shown.
func RedactAddress(address string) string {
	if CheckUserinfo(address) == nil {
		return address
	}
	head, _, _, rest := splitAddress(address)
	return head + "xxxxx@" + rest
}

// splitAddress cuts an address around what stands before its last @: a
// password may hold an @ or a slash that should have been escaped.
func splitAddress(address string) (head, scheme, info, rest string) {
	place := address
	if s, p, ok := strings.Cut(address, "://"); ok {
		head, scheme, place = s+"://", s, p
	}
	i := strings.LastIndexByte(place, '@')
	if i < 0 || slices.Contains(pathSchemes, scheme) {
		return head, scheme, "", place
	}
	return head, scheme, place[:i], place[i+1:]
}
