package local

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// network is what a site remembers of its network, in the file network.json.
type network struct {
	Subnet netip.Prefix
	// Forwarding names the computer's interfaces that forward packets because of
	// this site.
	Forwarding []string
}

// bridgeMAC is fixed: a bridge's would else change with the links that come and
// go, and machines remember it.
const bridgeMAC = "02:53:4c:ff:00:01"

// nowhere is an Ethernet address that no link has.
const nowhere = "02:53:4c:ff:ff:ff"

// gateway is the computer's address on the bridge: the subnet's first.
func gateway(subnet netip.Prefix) netip.Addr { return subnet.Addr().Next() }

// machineAddress is the address of a machine's number: the one after the
// gateway's is number 1's.
func machineAddress(subnet netip.Prefix, number int) (netip.Addr, error) {
	size := 1 << (32 - subnet.Bits())
	if number < 1 || number+1 >= size-1 || number > 9999 {
		return netip.Addr{}, fmt.Errorf("the subnet %s has no address left for another machine: local(subnet = ...) takes a larger one when all machines are gone", subnet)
	}
	start := subnet.Addr().As4()
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(start[:])+uint32(number)+1)
	return netip.AddrFrom4(b), nil
}

// subnet returns the site's subnet. It is chosen with the first machine and kept
// until the last one is gone. The site's lock is held.
func (s *Site) subnet(ctx context.Context) (netip.Prefix, error) {
	var n network
	err := readJSON(s.file("network.json"), &n)
	switch {
	case err == nil && s.want.IsValid() && s.want != n.Subnet:
		return n.Subnet, fmt.Errorf("the machines here have the subnet %s, not %s: destroy them first, or leave the subnet out", n.Subnet, s.want)
	case err == nil:
		return n.Subnet, nil
	case !errors.Is(err, fs.ErrNotExist):
		return n.Subnet, err
	}
	routes, err := computersRoutes()
	if err != nil {
		return n.Subnet, err
	}
	if n.Subnet, err = chooseSubnet(s.want, routes); err != nil {
		return n.Subnet, err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return n.Subnet, err
	}
	return n.Subnet, writeJSON(s.file("network.json"), n)
}

// A route is a network that the computer reaches through one of its links.
type route struct {
	to  netip.Prefix
	via string
}

// chooseSubnet returns the wanted subnet, or one of our own, if no route leads
// into it.
func chooseSubnet(want netip.Prefix, routes []route) (netip.Prefix, error) {
	if want.IsValid() {
		return want, clash(want, routes, "")
	}
	for i := range byte(40) {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 213 + i, 0, 0}), 16)
		if clash(p, routes, "") == nil {
			return p, nil
		}
	}
	return netip.Prefix{}, errors.New("every subnet for machines, 10.213.0.0/16 to 10.252.0.0/16, is in use: choose one with local(subnet = ...)")
}

// clash says which route, of another link than own, leads into a subnet.
func clash(subnet netip.Prefix, routes []route, own string) error {
	for _, r := range routes {
		if r.via != own && r.to.Bits() > 0 && r.to.Overlaps(subnet) {
			return fmt.Errorf("the subnet %s is in use: the computer reaches %s through %s; choose another one with local(subnet = ...)", subnet, r.to, r.via)
		}
	}
	return nil
}

func computersRoutes() ([]route, error) {
	text, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return nil, err
	}
	return readRoutes(string(text))
}

// readRoutes reads the kernel's table of IPv4 routes: addresses are hexadecimal,
// in the order of bytes of a little computer.
func readRoutes(text string) ([]route, error) {
	var out []route
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 || f[0] == "Iface" {
			continue
		}
		to, err1 := hex.DecodeString(f[1])
		mask, err2 := hex.DecodeString(f[7])
		if err1 != nil || err2 != nil || len(to) != 4 || len(mask) != 4 {
			return nil, fmt.Errorf("/proc/net/route: %q is no route", lines.Text())
		}
		slices.Reverse(to)
		slices.Reverse(mask)
		ones := 0
		for _, b := range mask {
			for ; b&0x80 != 0; b <<= 1 {
				ones++
			}
		}
		out = append(out, route{netip.PrefixFrom(netip.AddrFrom4([4]byte(to)), ones), f[0]})
	}
	return out, lines.Err()
}

// rules are what the computer's firewall needs: machines reach what the computer
// reaches, under its address, and each other; nobody beyond it reaches them. Each
// is a table, a chain, and the rule.
func (s *Site) rules(subnet netip.Prefix) [][]string {
	b, tag := s.bridge(), []string{"-m", "comment", "--comment", s.bridge()}
	return [][]string{
		slices.Concat([]string{"nat", "POSTROUTING", "-s", subnet.String(), "!", "-o", b}, tag, []string{"-j", "MASQUERADE"}),
		slices.Concat([]string{"filter", "FORWARD", "-i", b}, tag, []string{"-j", "ACCEPT"}),
		slices.Concat([]string{"filter", "FORWARD", "-o", b, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"}, tag, []string{"-j", "ACCEPT"}),
	}
}

// makeNetwork makes what is missing of the bridge and its rules. The site's lock
// is held.
func (s *Site) makeNetwork(ctx context.Context) (netip.Prefix, error) {
	subnet, err := s.subnet(ctx)
	if err != nil {
		return subnet, err
	}
	if !exists("/sys/class/net/" + s.bridge()) {
		routes, err := computersRoutes()
		if err != nil {
			return subnet, err
		}
		if err := clash(subnet, routes, s.bridge()); err != nil {
			return subnet, err
		}
	}
	for _, command := range [][]string{
		{"link", "add", s.bridge(), "address", bridgeMAC, "type", "bridge"},
		{"address", "replace", fmt.Sprintf("%s/%d", gateway(subnet), subnet.Bits()), "dev", s.bridge()},
		{"link", "set", s.bridge(), "up"},
	} {
		if command[1] == "add" && exists("/sys/class/net/"+s.bridge()) {
			continue
		}
		if _, err := run(ctx, "ip", command...); err != nil {
			return subnet, err
		}
	}
	for _, r := range s.rules(subnet) {
		there := append([]string{"-w", "-t", r[0], "-C"}, r[1:]...)
		if _, err := run(ctx, "iptables", there...); err == nil {
			continue
		}
		if _, err := run(ctx, "iptables", append([]string{"-w", "-t", r[0], "-I"}, r[1:]...)...); err != nil {
			return subnet, err
		}
	}
	return subnet, s.forward()
}

func forwardingFile(link string) string { return "/proc/sys/net/ipv4/conf/" + link + "/forwarding" }

// forward makes the bridge and the links that lead out of the computer forward
// packets, and remembers those that did not.
func (s *Site) forward() error {
	routes, err := computersRoutes()
	if err != nil {
		return err
	}
	var n network
	if err := readJSON(s.file("network.json"), &n); err != nil {
		return err
	}
	links := []string{s.bridge()}
	for _, r := range routes {
		if r.to.Bits() == 0 && !slices.Contains(links, r.via) && readWord(forwardingFile(r.via)) == "0" {
			links = append(links, r.via)
		}
	}
	for _, link := range links[1:] {
		if !slices.Contains(n.Forwarding, link) {
			n.Forwarding = append(n.Forwarding, link)
		}
	}
	if len(links) > 1 {
		if err := writeJSON(s.file("network.json"), n); err != nil {
			return err
		}
	}
	for _, link := range links {
		if err := os.WriteFile(forwardingFile(link), []byte("1"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeNetwork undoes makeNetwork, however much of it was done. The site's lock
// is held.
func (s *Site) removeNetwork(ctx context.Context) error {
	var n network
	if err := readJSON(s.file("network.json"), &n); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.unforward(n.Forwarding); err != nil {
		return err
	}
	for _, table := range []string{"nat", "filter"} {
		if err := s.removeRules(ctx, table); err != nil {
			return err
		}
	}
	if !exists("/sys/class/net/" + s.bridge()) {
		return nil
	}
	_, err := run(ctx, "ip", "link", "delete", s.bridge())
	return err
}

// unforward gives links back as they were, but for those that another site or,
// by the computer's own setting, somebody else needs now.
func (s *Site) unforward(links []string) error {
	if len(links) == 0 || readWord("/proc/sys/net/ipv4/ip_forward") == "1" {
		return nil
	}
	sites := filepath.Dir(s.dir)
	dirs, err := os.ReadDir(sites)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		other := &Site{name: d.Name(), dir: filepath.Join(sites, d.Name())}
		var n network
		if d.Name() == s.name || readJSON(other.file("network.json"), &n) != nil {
			continue
		}
		// It takes them over.
		for _, link := range links {
			if !slices.Contains(n.Forwarding, link) {
				n.Forwarding = append(n.Forwarding, link)
			}
		}
		return writeJSON(other.file("network.json"), n)
	}
	for _, link := range links {
		if err := os.WriteFile(forwardingFile(link), []byte("0"), 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// removeRules removes the rules of a table that carry the site's comment.
func (s *Site) removeRules(ctx context.Context, table string) error {
	text, err := run(ctx, "iptables", "-w", "-t", table, "-S")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		i := slices.Index(f, "--comment")
		if len(f) == 0 || f[0] != "-A" || i < 0 || i+1 == len(f) || f[i+1] != s.bridge() {
			continue
		}
		f[0] = "-D"
		if _, err := run(ctx, "iptables", append([]string{"-w", "-t", table}, f...)...); err != nil {
			return err
		}
	}
	return nil
}

// connect gives the machine whose first process is pid its link.
func (m *Machine) connect(ctx context.Context, pid int) error {
	if _, err := run(ctx, "ip", "link", "add", m.link(), "type", "veth",
		"peer", "name", "eth0", "address", m.mac(), "netns", strconv.Itoa(pid)); err != nil {
		return err
	}
	_, err := run(ctx, "ip", "link", "set", m.link(), "master", m.site.bridge(), "up")
	return err
}

func readWord(path string) string {
	text, _ := os.ReadFile(path)
	return strings.TrimSpace(string(text))
}
