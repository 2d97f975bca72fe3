//go:build !race

package lang

import (
	"strings"
	"testing"
	"time"
)

// TestMalice runs scripts that would kill or stall a process: by overflowing
// the Go stack, by exhausting memory, by work that no step counts. That the
// test ends is the proof; that each ends with an error which says why is the
// courtesy. One goroutine computes: the race detector has nothing to find, and takes
// ten times as long.
func TestMalice(t *testing.T) {
	deep := func(grow, end string) string {
		return "x = None\nfor i in range(1000000):\n    " + grow + "\n" + end + "\n"
	}
	for name, test := range map[string]struct{ src, want string }{
		"steps":             {"for i in range(1 << 40):\n    pass\n", "too many steps"},
		"steps in builtins": {"x = [0] * 1000000\nfor i in range(1 << 40):\n    x = sorted(x)\n", "too many steps"},

		"nested list, frozen":       {deep("x = [x]", ""), "nested too deep"},
		"nested list, str":          {deep("x = [x]", "str(x)"), "nested too deep"},
		"nested list, repr":         {deep("x = [x]", "repr(x)"), "nested too deep"},
		"nested list, print":        {deep("x = [x]", "print(x)"), "nested too deep"},
		"nested list, fail":         {deep("x = [x]", "fail(x)"), "nested too deep"},
		"nested list, %":            {deep("x = [x]", "'%s' % x"), "nested too deep"},
		"nested list, % in tuple":   {deep("x = [x]", "'%s%s' % (x, 1)"), "nested too deep"},
		"nested list, %r in dict":   {deep("x = [x]", "'%(a)r' % {'a': x}"), "nested too deep"},
		"nested list, format":       {deep("x = [x]", "'{}'.format(x)"), "nested too deep"},
		"nested list, format value": {deep("x = [x]", "f = '{}'.format\nf(x)"), "nested too deep"},
		"nested list, getattr":      {deep("x = [x]", "getattr('{}', 'format')(x)"), "nested too deep"},
		"nested list, format()":     {deep("x = [x]", "format('{a}', a = x)"), "nested too deep"},
		"nested list, json":         {deep("x = [x]", "json.encode(x)"), "nested too deep"},
		"nested list, ==":           {deep("x = [x]", "x == [x]"), "maximum recursion"},
		"nested list, sort key":     {deep("x = [x]", "sorted([x, x], key = str)"), "nested too deep"},
		"nested dict, str":          {deep("x = {1: x}", "str(x)"), "nested too deep"},
		"nested by append":          {"l = []\nx = l\nfor i in range(1000000):\n    n = []\n    l.append(n)\n    l = n\nstr(x)\n", "nested too deep"},
		"nested by dict insertion":  {"d = {}\nx = d\nfor i in range(1000000):\n    d[0] = {}\n    d = d[0]\nstr(x)\n", "nested too deep"},
		"nested by join of halves": {`
a = []
b = a
for i in range(600):
    a = [a]
c = []
d = c
for i in range(300):
    n = []
    d.append(n)
    d = n
d.append(a)
str(c)
`, "nested too deep"},
		"nested tuple":            {deep("x = (x,)", ""), "nested too deep"},
		"nested tuple, hash":      {deep("x = (x,)", "{x: 1}"), "nested too deep"},
		"nested tuple, no parens": {deep("x = x, 1", ""), "nested too deep"},
		"nested tuple, +":         {deep("x = (1,) + (x,)", ""), "nested too deep"},
		"nested tuple, tuple()":   {deep("x = tuple([x])", ""), "nested too deep"},
		"nested tuple, zip":       {deep("x = zip([x])[0]", ""), "nested too deep"},
		"nested tuple, enumerate": {deep("x = enumerate([x])[0]", ""), "nested too deep"},
		"nested tuple, items":     {deep("x = {0: x}.items()[0]", ""), "nested too deep"},
		"nested tuple, getattr":   {deep("x = getattr({0: x}, 'items')()[0]", ""), "nested too deep"},
		"nested tuple, popitem":   {deep("x = {0: x}.popitem()", ""), "nested too deep"},
		"nested tuple, *args":     {"def f(*a):\n    return a\n" + deep("x = f(x)", ""), "nested too deep"},
		"nested tuple, lambda":    {"f = lambda *a: a\n" + deep("x = f(x)", ""), "nested too deep"},
		"nested tuple, swap":      {deep("x, y = (x,), 1", ""), "nested too deep"},
		"nested tuple, target":    {"l = [0]\n" + deep("l[0] = (l[0],)", ""), "nested too deep"},
		"nested tuple, +=":        {"l = [()]\nfor i in range(1000000):\n    t = ()\n    t += (l[0],)\n    l[0] = t\n", "nested too deep"},
		"nested struct":           {deep("x = struct(x = x)", ""), "nested too deep"},
		"nested struct, +":        {deep("x = struct(a = 1) + struct(x = x)", ""), "nested too deep"},
		"nested closures": {`
def f(x):
    def g():
        return x
    return g
` + deep("x = f(x)", ""), "nested too deep|holds itself"},
		"nested defaults":        {deep("x = lambda y = x: y", ""), "nested too deep|holds itself"},
		"nested bound methods":   {deep("x = [x].append", ""), "nested too deep"},
		"function holds itself":  {"def f():\n    def g():\n        return g\n    return g\nx = f()\n", "function g holds itself"},
		"functions hold another": {"def f():\n    def g():\n        return h\n    def h():\n        return g\n    return g\nx = [f()]\n", "holds itself"},
		"struct holds itself":    {"l = []\ns = struct(l = l)\nl.append(s)\nstr(s)\n", "nested too deep"},
		"struct in a ring":       {"l = []\ns = struct(l = l)\nl.append(s)\nprint(l)\n", "nested too deep"},
		"a ring in a freeze":     {"l = []\nl.append(l)\nd = {}\nd['d'] = d\nl.append(d)\nprint(l)\n", "-"},
		"doubled tuples":         {"x = (1, 2)\nfor i in range(60):\n    x = (x, x)\n", "too large"},
		"doubled lists, str":     {"x = [1]\nfor i in range(60):\n    x = [x, x]\nstr(x)\n", "too large"},
		"doubled lists, json":    {"x = [1]\nfor i in range(60):\n    x = [x, x]\njson.encode(x)\n", "too large"},
		"doubled closures":       {"def f(a, b):\n    return lambda: (a, b)\nx = f(1, 1)\nfor i in range(60):\n    x = f(x, x)\n", "too much to be frozen"},
		"wide comparison":        {"a = [0] * 1000\nb = [0] * 1000\nfor i in range(8):\n    a = [a] * 1000\n    b = [b] * 1000\nx = a == b\n", "too large"},
		"wide comparison in":     {"a = [0] * 1000\nb = [0] * 1000\nfor i in range(8):\n    a = [a] * 1000\n    b = [b] * 1000\nx = a in [b]\n", "too large"},
		"wide sort":              {"a = [0] * 1000\nb = [0] * 1000\nfor i in range(8):\n    a = [a] * 1000\n    b = [b] * 1000\nx = sorted([a, b])\n", "too large"},
		"wide index":             {"a = [0] * 1000\nb = [0] * 1000\nfor i in range(8):\n    a = [a] * 1000\n    b = [b] * 1000\nx = [a].index(b)\n", "too large"},
		"wide less":              {"a = [0] * 1000\nb = [0] * 1000\nfor i in range(8):\n    a = [a] * 1000\n    b = [b] * 1000\nx = a < b\n", "too large"},
		"heavy keys":             {"s = 'x' * 10000000\nt = (s,) * 1000000\nd = {t: 1}\n", "too large"},

		"string repeat":      {"x = 'a' * (1 << 29)\n", "excessive repeat"},
		"string repeat *=":   {"x = 'a'\nx *= 1 << 29\n", "excessive repeat"},
		"bytes repeat":       {"x = b'a' * (1 << 29)\n", "excessive repeat"},
		"list repeat":        {"x = [0] * (1 << 29)\n", "excessive repeat"},
		"tuple repeat":       {"x = (1 << 29) * (0,)\n", "excessive repeat"},
		"string doubling":    {"x = 'a'\nfor i in range(50):\n    x = x + x\n", "too large"},
		"string doubling +=": {"x = 'a'\nfor i in range(50):\n    x += x\n", "too large"},
		"list doubling +=":   {"x = [0]\nfor i in range(50):\n    x += x\n", "too large"},
		"list item +=":       {"x = [[0]]\nfor i in range(50):\n    x[0] += x[0]\n", "too large"},
		"item of a call +=":  {"x = [['a']]\ndef f():\n    return x\nfor i in range(50):\n    f()[len('')] += f()[0]\n", "too large"},
		"list extend":        {"x = [0]\nfor i in range(50):\n    x.extend(x)\n", "too large"},
		"list extend range":  {"x = []\nx.extend(range(1 << 40))\n", "too large"},
		"list += range":      {"x = []\nx += range(1 << 40)\n", "too large"},
		"list(range)":        {"x = list(range(1 << 40))\n", "too large"},
		"set(range)":         {"x = set(range(1 << 40))\n", "too large"},
		"union(range)":       {"x = set().union(range(1 << 40))\n", "too large"},
		"update(range)":      {"x = set()\nx.update(range(1 << 40))\n", "too large"},
		"issubset(range)":    {"x = set([1]).issubset(range(1 << 40))\n", "too large"},
		"bytes(range)":       {"x = bytes(range(1 << 40))\n", "too large"},
		"*range":             {"print(*range(1 << 40))\n", "too large"},
		"comprehension":      {"x = [0 for _ in range(1 << 40)]\n", "too many steps|too much memory"},
		"append forever":     {"x = []\nfor i in range(1 << 40):\n    x.append({i: i})\n", "too many steps|too much memory"},
		"large copies":       {"x = 'a' * 10000000\nl = []\nfor i in range(100000):\n    l.append(x + str(i))\n", "too many steps|too much memory"},
		"large slices":       {"x = [0] * 10000000\nl = []\nfor i in range(100000):\n    l.append(x[1:])\n", "too many steps|too much memory"},
		"join":               {"x = 'a' * 10000000\ny = ','.join([x] * 1000000)\n", "too large"},
		"long separator":     {"x = ('a' * 10000000).join(['b'] * 1000000)\n", "too large"},
		"replace":            {"x = ('a' * 1000000).replace('a', 'b' * 1000000)\n", "too large"},
		"replace nothing":    {"x = ('a' * 1000000).replace('', 'b' * 1000000)\n", "too large"},
		"format repeat":      {"x = ('{0}' * 100000).format('a' * 10000000)\n", "too large"},
		"% repeat":           {"x = ('%(a)s' * 100000) % {'a': 'a' * 10000000}\n", "too large"},
		"% of many":          {"x = ('%s' * 100000) % tuple(['a' * 10000000] * 100000)\n", "too large"},
		"integers":           {"x = 3\nfor i in range(100):\n    x = x * x\n", "integer too large"},
		"integers *=":        {"x = 3\nfor i in range(100):\n    x *= x\n", "integer too large"},
		"shifts":             {"x = 1\nfor i in range(10000000):\n    x = x << 511\n", "integer too large"},
		"shifts <<=":         {"x = 1\nfor i in range(10000000):\n    x <<= 511\n", "integer too large"},
		"int()":              {"x = int('9' * 10000000)\n", "more than .* digits"},
		"json depth":         {"x = json.decode('[' * 10000000)\n", "nested more than"},
		"json indent":        {"x = json.indent('[' * 400 + ']' * 400, indent = 'x' * 1000000)\n", "too large"},
		"json digits":        {"x = json.decode('9' * 10000000)\n", "a number of more than"},

		"source: brackets": {"x = " + strings.Repeat("[", 100000) + "\n", "nesting"},
		"source: sums":     {"x = 1" + strings.Repeat("+1", 2000000) + "\n", "nesting"},
		"source: calls":    {"x = print" + strings.Repeat("()", 2000000) + "\n", "nesting"},
		"source: dots":     {"x = print" + strings.Repeat(".a", 2000000) + "\n", "nesting"},
		"source: elif":     {"if 1:\n  pass\n" + strings.Repeat("elif 1:\n  pass\n", 200000), "nesting"},
		"source: not":      {"x = " + strings.Repeat("not ", 1000000) + "1\n", "nesting"},
		"source: minus":    {"x = " + strings.Repeat("-", 1000000) + "1\n", "nesting"},
		"source: lambda":   {"x = " + strings.Repeat("lambda:", 1000000) + "1\n", "nesting"},
		"source: if else":  {"x = " + strings.Repeat("1 if 1 else ", 1000000) + "1\n", "nesting"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.opts.Limits = Limits{MaxSteps: 30_000_000, MaxMemory: 512 << 20}
			start := time.Now()
			_, list := f.exec(test.src)
			took := time.Since(start)
			if took > 5*time.Minute {
				t.Errorf("took %v", took)
			}
			if test.want == "-" {
				if len(list) > 0 {
					t.Errorf("unexpected problems: %v", list)
				}
				return
			}
			if len(list) != 1 {
				t.Fatalf("got %d problems, want 1", len(list))
			}
			ok := false
			for _, want := range strings.Split(test.want, "|") {
				ok = ok || strings.Contains(list[0].Error(), strings.ReplaceAll(want, ".*", "")) || matches(list[0].Error(), want)
			}
			if !ok {
				t.Errorf("got %q, want %q", list[0].Error(), test.want)
			}
			if len(list[0].Error()) > 1000 {
				t.Errorf("the message has %d bytes", len(list[0].Error()))
			}
			if !list[0].Pos.IsValid() {
				t.Errorf("no position: %v", list[0])
			}
		})
	}
}

func matches(s, want string) bool {
	for _, part := range strings.Split(want, ".*") {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
