package emulator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/packetfilter"
)

// Options say what an emulator is like. All may be left out but URL.
type Options struct {
	// URL is where it is reached, as "https://127.0.0.1:8443": answers name it.
	URL string
	// Dir keeps what there is; "" keeps it in memory.
	Dir string
	// Machines are behind virtual machines; nil has none, and only says so.
	Machines Machines
	// Tenant, Subscription and Apps are what there is in Entra ID; each has a
	// default. All apps own the subscription.
	Tenant       string
	Subscription Subscription
	Apps         []App
	// OperationTime is how long an operation takes besides what its machine needs.
	OperationTime time.Duration
	// PollEvery is what Retry-After asks of those who wait for an operation.
	PollEvery time.Duration
	// RegistryLogin is how long a login to a container registry holds; 0 is Azure's.
	RegistryLogin time.Duration
	// PageSize is how many a list has at most before its nextLink; 0 is Azure's.
	PageSize int
	// Limits are the token buckets; nil has Azure's.
	Limits *Limits
	// Terms are the plans of the marketplace whose terms the subscription has
	// accepted, as "PUBLISHER:OFFER:PLAN".
	Terms []string
	// Unregistered are the resource providers, as "Microsoft.Compute", that the
	// subscription is not registered to use until it asks for it.
	Unregistered []string
	// Registries are the container registries that there are, by their hosts, with
	// what is behind the login of each; one without it is empty.
	Registries map[string]http.Handler
	// Cores bounds the virtual CPUs of the subscription in each location; 0 is 100.
	Cores int
	// Addresses bounds its public addresses in each location; 0 is 1000.
	Addresses int
	// Faults hold from the start; see also [Emulator.Fault].
	Faults []Fault
	// Log is told each request when it was answered; nil is not.
	Log func(Request)
}

// Subscription is the one that there is.
type Subscription struct{ ID, Name string }

// What options that are left out stand for.
const (
	DefaultTenant       = "72f988bf-0000-4000-8000-00000000aaaa"
	DefaultSubscription = "5ab5c71b-0000-4000-8000-00000000bbbb"
	defaultPageSize     = 1000
	defaultCores        = 100
	defaultAddresses    = 1000
	lockTimeout         = time.Second
)

// DefaultApp is the service principal that there is when none was asked for.
var DefaultApp = App{ID: "a9900000-0000-4000-8000-00000000cccc", Secret: "emulator-secret"}

// Request is one that was answered.
type Request struct {
	Method, Path string // without the query
	Status       int
	Code         string // of the error, or ""
}

// Emulator is an Azure. It is an [http.Handler], to be served over HTTPS.
type Emulator struct {
	opts       Options
	signing    []byte // of tokens
	store      *store
	buckets    *buckets
	faults     faults
	registries map[string]http.Handler // with the login before them

	mu            sync.Mutex // of the store, of lagging and of registrations; see tx
	lagging       lagging
	registrations registrations
	ctx           context.Context
	cancel        context.CancelFunc
	running       sync.WaitGroup

	changed chan struct{} // holds one where something changed; see keepBalance

	filtering sync.Mutex                     // of filters; taken before mu
	filters   map[string]packetfilter.Filter // what is around machines, as far as it is known
}

// New makes an emulator, or opens that of a folder, whose operations go on.
func New(opts Options) (*Emulator, error) {
	complete(&opts)
	e := &Emulator{opts: opts, changed: make(chan struct{}, 1), filters: map[string]packetfilter.Filter{}, buckets: newBuckets(*opts.Limits), signing: opts.signingKey()}
	e.registrations = newRegistrations(opts.Unregistered)
	e.lagging = lagging{made: map[string]time.Time{}, gone: map[string]remnant{}}
	for _, f := range opts.Faults {
		e.Fault(f)
	}
	e.registries = map[string]http.Handler{}
	for host, behind := range opts.Registries {
		if behind == nil {
			behind = http.HandlerFunc(emptyRegistry)
		}
		e.registries[strings.ToLower(host)] = e.Registry(strings.ToLower(host), behind)
	}
	var file string
	if opts.Dir != "" {
		if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
			return nil, err
		}
		file = filepath.Join(opts.Dir, "azure.db")
	}
	var err error
	if e.store, err = openStore(file); err != nil {
		return nil, err
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.mu.Lock() // the first may end before the last goes on
	for _, op := range e.store.operations {
		e.start(op)
	}
	e.mu.Unlock()
	if to, ok := opts.Machines.(Balancing); ok {
		e.running.Go(func() { e.keepBalance(to) })
	}
	return e, nil
}

func complete(o *Options) {
	if o.Machines == nil {
		o.Machines = noMachines{}
	}
	if o.Tenant == "" {
		o.Tenant = DefaultTenant
	}
	if o.Subscription.ID == "" {
		o.Subscription = Subscription{ID: DefaultSubscription, Name: "Emulated"}
	}
	if len(o.Apps) == 0 {
		o.Apps = []App{DefaultApp}
	}
	if o.PollEvery == 0 {
		o.PollEvery = time.Second
	}
	if o.PageSize == 0 {
		o.PageSize = defaultPageSize
	}
	if o.Limits == nil {
		o.Limits = &AzureLimits
	}
	if o.Cores == 0 {
		o.Cores = defaultCores
	}
	if o.Addresses == 0 {
		o.Addresses = defaultAddresses
	}
}

// Close ends it: operations that are under way are cut off, as by the end of the
// process. Machines go on.
func (e *Emulator) Close() error {
	e.mu.Lock()
	e.cancel() // no operation starts after this
	e.mu.Unlock()
	e.running.Wait()
	return errors.Join(e.opts.Machines.Close(), e.store.close())
}

// report tells whoever runs the emulator of what no client is told.
func (e *Emulator) report(format string, args ...any) { log.Printf("azure-emulator: "+format, args...) }

// newID is a random GUID.
func newID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return guid(b)
}

// guid makes one of 16 bytes.
func guid(b []byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// touch gives a record a new etag, after any change, where its kind has etags.
func (t *tx) touch(r *record) {
	if k := kinds[r.path().kind()]; k != nil && !k.plain && !k.etagless {
		r.Body["etag"] = `W/"` + newID() + `"`
	}
}

var _ http.Handler = (*Emulator)(nil)
