package azure

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// Image is what a machine is made from: a short name, a marketplace image as
// publisher:offer:sku[:version], or the ID of an image of one's own.
type Image string

// shortImages are the names of images that everybody uses, as lab() and local()
// name theirs.
var shortImages = map[string]string{
	"debian-12":    "Debian:debian-12:12-gen2",
	"debian-13":    "Debian:debian-13:13-gen2",
	"ubuntu-22.04": "Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2",
	"ubuntu-24.04": "Canonical:ubuntu-24_04-lts:server",
}

// latest is the version of an image that means whichever is the newest. It is the
// newest when the machine is made: a machine stays what it is.
const latest = "latest"

// Normal implements [schema.Normaler].
func (i Image) Normal() (string, error) {
	s := string(i)
	if full := shortImages[s]; full != "" {
		s = full
	}
	if strings.HasPrefix(s, "/") {
		if _, err := ParseID(s); err != nil && !strings.Contains(s, "/providers/Microsoft.Compute/galleries/") {
			return "", err
		}
		return s, nil
	}
	parts := strings.Split(s, ":")
	if len(parts) == 3 {
		parts = append(parts, latest)
	}
	if len(parts) != 4 || slices.Contains(parts, "") || strings.ContainsAny(s, " /") {
		names := sorted(shortImages)
		hint := diag.DidYouMean(s, names)
		if hint != "" {
			hint = " (" + hint + ")"
		}
		return "", fmt.Errorf("got %q%s, want %s, publisher:offer:sku or publisher:offer:sku:version, or the ID of an image", string(i), hint, strings.Join(names, ", "))
	}
	return strings.Join(parts, ":"), nil
}

// sameImage reports whether a machine that was made from one image is what a script
// says that names the other.
func sameImage(live, declared string) bool {
	if strings.HasPrefix(live, "/") || strings.HasPrefix(declared, "/") {
		return sameID(live, declared)
	}
	a, b := strings.Split(live, ":"), strings.Split(declared, ":")
	if len(a) != 4 || len(b) != 4 {
		return false
	}
	return strings.EqualFold(strings.Join(a[:3], ":"), strings.Join(b[:3], ":")) && (strings.EqualFold(b[3], latest) || strings.EqualFold(a[3], b[3]))
}

// readImage is what a script would say of the image of a machine.
func readImage(r *armcompute.ImageReference) string {
	switch {
	case r == nil:
		return ""
	case text(r.ID) != "":
		return text(r.ID)
	}
	return strings.Join([]string{text(r.Publisher), text(r.Offer), text(r.SKU), cmp.Or(text(r.Version), latest)}, ":")
}

// arm is the image as Azure takes it.
func (i Image) arm() *armcompute.ImageReference {
	if strings.HasPrefix(string(i), "/") {
		return &armcompute.ImageReference{ID: ptr(string(i))}
	}
	p := strings.Split(string(i), ":")
	return &armcompute.ImageReference{Publisher: &p[0], Offer: &p[1], SKU: &p[2], Version: &p[3]}
}

// pin says which version an image has now, where the script leaves that open.
func (c *Conn) pin(ctx context.Context, cl *clients, i Image) (Image, error) {
	p := strings.Split(string(i), ":")
	if len(p) != 4 || !strings.EqualFold(p[3], latest) {
		return i, nil
	}
	c.mu.Lock()
	got := c.pins[string(i)]
	c.mu.Unlock()
	if got != "" {
		return Image(got), nil
	}
	// Azure orders versions as text, of which the last is not the newest.
	list, err := cl.images.List(ctx, c.cfg.Location, p[0], p[1], p[2], nil)
	if err != nil && !isMissing(err) {
		return "", explain(err)
	}
	newest := ""
	for _, v := range list.VirtualMachineImageResourceArray {
		if name := text(v.Name); newest == "" || newer(name, newest) {
			newest = name
		}
	}
	if newest == "" {
		return "", fmt.Errorf("there is no image %s in %s; az vm image list --all --publisher %s shows what there is", strings.Join(p[:3], ":"), c.cfg.Location, p[0])
	}
	got = strings.Join([]string{p[0], p[1], p[2], newest}, ":")
	c.mu.Lock()
	c.pins[string(i)] = got
	c.mu.Unlock()
	return Image(got), nil
}

// newer compares versions such as 12.20260102.1 by their numbers.
func newer(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, n := strings.TrimLeft(x[i], "0"), strings.TrimLeft(y[i], "0")
		if len(m) != len(n) {
			return len(m) > len(n)
		}
		if m != n {
			return m > n
		}
	}
	return len(x) > len(y)
}
