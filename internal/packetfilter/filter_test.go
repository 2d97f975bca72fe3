package packetfilter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestRanges(t *testing.T) {
	of := func(s string) Range { return RangeOf(netip.MustParsePrefix(s)) }
	for _, tt := range []struct {
		in             []Range
		merged, others string
	}{
		{nil, "[]", "[{0.0.0.0 255.255.255.255}]"},
		{[]Range{of("0.0.0.0/0")}, "[{0.0.0.0 255.255.255.255}]", "[]"},
		{[]Range{of("10.0.1.0/24"), of("10.0.0.0/24"), of("10.0.0.7/32")}, "[{10.0.0.0 10.0.1.255}]", "[{0.0.0.0 9.255.255.255} {10.0.2.0 255.255.255.255}]"},
		{[]Range{of("10.0.0.9/32"), of("10.0.0.7/30")}, "[{10.0.0.4 10.0.0.7} {10.0.0.9 10.0.0.9}]", "[{0.0.0.0 10.0.0.3} {10.0.0.8 10.0.0.8} {10.0.0.10 255.255.255.255}]"},
		{[]Range{of("255.0.0.0/8"), of("255.255.0.0/16"), of("0.0.0.0/1")}, "[{0.0.0.0 127.255.255.255} {255.0.0.0 255.255.255.255}]", "[{128.0.0.0 254.255.255.255}]"},
	} {
		if Merged(tt.in) == nil || Others(tt.in) == nil {
			t.Errorf("%v: nil would be everywhere", tt.in)
		}
		if got := fmt.Sprint(Merged(tt.in)); got != tt.merged {
			t.Errorf("%v: merged %s, want %s", tt.in, got, tt.merged)
		}
		if got := fmt.Sprint(Others(tt.in)); got != tt.others {
			t.Errorf("%v: others %s, want %s", tt.in, got, tt.others)
		}
	}
}

func TestRestore(t *testing.T) {
	f := Filter{In: []Chain{{
		{Allow: true, Protocol: "tcp", Ports: []Ports{{22, 22}, {80, 90}}, Remotes: []Range{{addr("10.0.0.2"), addr("10.0.0.4")}}},
		{Protocol: "esp"},
		{Allow: true, Remotes: []Range{}},
	}}}
	want := `*mangle
:around-in - [0:0]
:around-in-1 - [0:0]
:around-out - [0:0]
-A around-in -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A around-in -m policy --dir in --pol ipsec -j RETURN
-A around-in -j around-in-1
-A around-in-1 -p tcp -m iprange --src-range 10.0.0.2-10.0.0.4 --dport 22:22 -j RETURN
-A around-in-1 -p tcp -m iprange --src-range 10.0.0.2-10.0.0.4 --dport 80:90 -j RETURN
-A around-in-1 -p esp -j DROP
-A around-in-1 -j DROP
-A around-out -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A around-out -m policy --dir out --pol ipsec -j RETURN
COMMIT
`
	if got := f.Restore(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What iptables is told decides as the rules do, whatever they are, and the kernel
// takes it.
func TestRestoreDecidesAlike(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		f := Filter{In: randomChains(dice), Out: randomChains(dice)}
		lines := strings.Split(f.Restore(), "\n")
		for range 50 {
			p := Packet{Protocol: pick(dice, "tcp", "udp", "icmp", "esp"), Remote: addr(fmt.Sprintf("10.0.0.%d", dice.IntN(6)))}
			if p.Protocol == "tcp" || p.Protocol == "udp" {
				p.Port, p.SourcePort = uint16(dice.IntN(6)), uint16(dice.IntN(6))
			}
			if got, want := walk(lines, InChain, p), Pass(f.In, p); got != want {
				t.Fatalf("in: %+v passes: %v, want %v\n%s", p, got, want, f.Restore())
			}
			if got, want := walk(lines, OutChain, p), Pass(f.Out, p); got != want {
				t.Fatalf("out: %+v passes: %v, want %v\n%s", p, got, want, f.Restore())
			}
		}
	}
}

func TestKernelTakesIt(t *testing.T) {
	if _, err := exec.LookPath("iptables-restore"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs iptables and root")
	}
	dice := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		cmd := exec.Command("unshare", "--net", "iptables-restore", "--noflush", "--wait")
		text := Filter{In: randomChains(dice), Out: randomChains(dice)}.Restore()
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%s", err, out, text)
		}
	}
}

func pick(dice *rand.Rand, from ...string) string { return from[dice.IntN(len(from))] }

func randomChains(dice *rand.Rand) []Chain {
	ports := func() (out []Ports) {
		for range dice.IntN(3) {
			from := uint16(dice.IntN(6))
			out = append(out, Ports{from, from + uint16(dice.IntN(3))})
		}
		return out
	}
	chains := make([]Chain, dice.IntN(3))
	for i := range chains {
		for range dice.IntN(5) {
			r := Rule{Allow: dice.IntN(2) == 0, Protocol: pick(dice, "", "tcp", "udp", "icmp", "esp")}
			if r.Protocol == "tcp" || r.Protocol == "udp" {
				r.Ports, r.SourcePorts = ports(), ports()
			}
			if n := dice.IntN(4); n > 0 {
				r.Remotes = []Range{}
				for range n - 1 {
					from := addr(fmt.Sprintf("10.0.0.%d", dice.IntN(6)))
					r.Remotes = append(r.Remotes, Range{from, from.Next()})
				}
			}
			chains[i] = append(chains[i], r)
		}
	}
	return chains
}

// walk is what the kernel does with the lines, as far as they go here: of packets
// that begin a connection, and are not encrypted.
func walk(lines []string, chain string, p Packet) bool {
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "-A" || f[1] != chain || slices.Contains(f, "conntrack") || slices.Contains(f, "policy") {
			continue
		}
		fits := true
		for i := 2; i < len(f); i += 2 {
			switch a := f[i+1]; f[i] {
			case "-p":
				fits = fits && a == p.Protocol
			case "--src-range", "--dst-range":
				from, to, _ := strings.Cut(a, "-")
				fits = fits && Range{addr(from), addr(to)}.Contains(p.Remote)
			case "--sport", "--dport":
				n := map[string]uint16{"--sport": p.SourcePort, "--dport": p.Port}[f[i]]
				var x Ports
				fmt.Sscanf(a, "%d:%d", &x.From, &x.To)
				fits = fits && x.From <= n && n <= x.To
			case "-j":
				switch {
				case !fits:
				case a == "DROP":
					return false
				case a == "RETURN":
					return true
				case !walk(lines, a, p):
					return false
				}
			}
		}
	}
	return true
}
