package emulator

import (
	"net/http"
	"slices"
	"strings"
)

// platformImage is an image of Azure's marketplace, and what boots for it here.
type platformImage struct {
	publisher, offer, sku string
	base                  string // "debian-12"
	generation            string // "V1", "V2"
	arch                  string // "x64", "Arm64"
	versions              []string
	plan                  string // of the terms that it is sold under, "" for none
}

// The images of Ubuntu boot as a Debian here.
var images = []platformImage{
	{"Debian", "debian-12", "12", "debian-12", "V1", "x64", []string{"0.20250814.2204", "0.20251002.2245"}, ""},
	{"Debian", "debian-12", "12-gen2", "debian-12", "V2", "x64", []string{"0.20250814.2204", "0.20251002.2245"}, ""},
	{"Debian", "debian-12", "12-arm64", "debian-12", "V2", "Arm64", []string{"0.20251002.2245"}, ""},
	{"Debian", "debian-13", "13", "debian-13", "V1", "x64", []string{"0.20250911.2234", "0.20251006.2257"}, ""},
	{"Debian", "debian-13", "13-gen2", "debian-13", "V2", "x64", []string{"0.20250911.2234", "0.20251006.2257"}, ""},
	{"Canonical", "ubuntu-24_04-lts", "server", "debian-12", "V2", "x64", []string{"24.04.202509110", "24.04.202510010"}, ""},
	{"Canonical", "ubuntu-24_04-lts", "server-gen1", "debian-12", "V1", "x64", []string{"24.04.202509110", "24.04.202510010"}, ""},
	{"Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2", "debian-12", "V2", "x64", []string{"22.04.202509120"}, ""},
	{"nginxinc", "nginx-plus-v1", "nginx-plus-debian-12", "debian-12", "V2", "x64", []string{"1.0.0"}, "nginx-plus-debian-12"},
}

func (i *platformImage) latest() string { return i.versions[len(i.versions)-1] }

// imageOf finds the image of a reference, and the version of it that is meant.
func imageOf(ref object) (*platformImage, string) {
	for i := range images {
		im := &images[i]
		if !strings.EqualFold(im.publisher, text(ref, "publisher")) || !strings.EqualFold(im.offer, text(ref, "offer")) || !strings.EqualFold(im.sku, text(ref, "sku")) {
			continue
		}
		switch v := text(ref, "version"); {
		case v == "latest":
			return im, im.latest()
		case slices.Contains(im.versions, v):
			return im, v
		}
	}
	return nil, ""
}

func errImage(ref object) *Failure {
	return fail(http.StatusNotFound, "PlatformImageNotFound", "The platform image '%s:%s:%s:%s' is not available. Verify that all fields in the storage profile are correct. For more details about storage profile information, please refer to https://aka.ms/storageprofile.",
		text(ref, "publisher"), text(ref, "offer"), text(ref, "sku"), text(ref, "version")).on("imageReference")
}

// catalog answers what a location has: sizes, images, quotas, and the state of
// operations.
func (t *tx) catalog(c *call) (*answer, error) {
	p := c.path
	if c.Method != http.MethodGet || len(p.Types) < 2 || !isLocation(location(p.Names[0])) && p.Names[0] != "global" {
		return nil, bad("InvalidResourceType", "%s is not known, or not simulated by this emulator.", p.id())
	}
	at := location(p.Names[0])
	switch what := strings.ToLower(p.Types[1]); what {
	case "operations":
		return t.operationStatus(p)
	case "operationresults":
		return t.operationResult(p)
	case "usages":
		if strings.EqualFold(p.Namespace, "Microsoft.Network") {
			return t.page(c, t.networkUsages(c, at))
		}
		return t.page(c, t.computeUsages(at))
	case "vmsizes":
		return t.page(c, vmSizes())
	case "publishers":
		return t.images(c)
	case "checkdnsnameavailability":
		label := c.URL.Query().Get("domainNameLabel") + "." + at + ".cloudapp.azure.com"
		free := !slices.ContainsFunc(t.below("/"), func(key string) bool {
			return text(t.get(key).Body, "properties", "dnsSettings", "fqdn") == label
		})
		return ok(object{"available": free}), nil
	}
	return nil, bad("InvalidResourceType", "%s is not known, or not simulated by this emulator.", p.id())
}

// images answers the levels of the marketplace: publishers, offers, skus, versions.
func (t *tx) images(c *call) (*answer, error) {
	p := c.path
	// publishers/P/artifacttypes/vmimage/offers/O/skus/S/versions/V
	levels := map[string]string{}
	for i, kind := range p.Types {
		if i < len(p.Names) {
			levels[strings.ToLower(kind)] = p.Names[i]
		}
	}
	last := strings.ToLower(p.Types[len(p.Types)-1])
	var out []any
	var names []string
	for i := range images {
		im := &images[i]
		fields := map[string]string{"publishers": im.publisher, "offers": im.offer, "skus": im.sku}
		matches := true
		for level, name := range fields {
			if want := levels[level]; want != "" && !strings.EqualFold(want, name) {
				matches = false
			}
		}
		if !matches {
			continue
		}
		if last == "versions" && p.whole() {
			if slices.Contains(im.versions, p.name()) {
				return ok(im.describe(p)), nil
			}
			continue
		}
		values := im.versions
		if last != "versions" {
			values = []string{fields[last]}
		}
		for _, v := range values {
			if !slices.Contains(names, v) {
				names = append(names, v)
				id := p
				id.Names = append(p.Names[:len(p.Names):len(p.Names)], v)
				out = append(out, object{"name": v, "location": p.Names[0], "id": id.id()})
			}
		}
	}
	if out == nil {
		return nil, fail(http.StatusNotFound, "NotFound", "Artifact: VMImage was not found.")
	}
	return ok(newest(c, out)), nil
}

// newest keeps what $top and $orderby ask for: "name desc" has the newest version
// first.
func newest(c *call, all []any) []any {
	if strings.EqualFold(c.URL.Query().Get("$orderby"), "name desc") {
		slices.Reverse(all)
	}
	if c.URL.Query().Get("$top") == "1" {
		all = all[:1]
	}
	return all
}

func (i *platformImage) describe(p path) object {
	o := object{
		"id": p.id(), "name": p.name(), "location": p.Names[0],
		"properties": object{
			"hyperVGeneration": i.generation, "architecture": i.arch, "osDiskImage": object{"operatingSystem": "Linux"},
			"dataDiskImages": []any{}, "imageDeprecationStatus": object{"imageState": "Active"},
		},
	}
	if i.plan != "" {
		o["properties"].(object)["plan"] = object{"publisher": i.publisher, "product": i.offer, "name": i.plan}
	}
	return o
}
