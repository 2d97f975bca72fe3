package azure

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Failure is what Azure refused, as it says it.
type Failure struct {
	Status  int
	Code    string // "AuthorizationFailed"
	Message string
	Advice  string // what to do, "" where the message says it
	kind    error  // of resource's, nil where none is meant
}

// Error says what Azure says, and what to do.
func (f *Failure) Error() string {
	s := f.Code
	if f.Message != "" {
		s += ": " + f.Message
	}
	if f.Advice != "" {
		s = strings.TrimSuffix(s, ".") + "; " + f.Advice
	}
	return s
}

// Unwrap tells what kind of error it is.
func (f *Failure) Unwrap() error { return f.kind }

// explain turns the SDK's errors, which show a whole exchange, into what a person
// has to know. Nil stays nil.
func explain(err error) error {
	if err == nil {
		return nil
	}
	var failed *Failure
	if errors.As(err, &failed) {
		return err
	}
	var resp *azcore.ResponseError
	if errors.As(err, &resp) {
		return explainResponse(resp)
	}
	if m := noAnswer(err); m != "" { // nobody was there to refuse a login
		return fmt.Errorf("azure: %w: %s", resource.ErrUnreachable, m)
	}
	var auth *azidentity.AuthenticationFailedError
	if name, _ := givenLogin(err); name != "" && errors.As(err, &auth) && auth.RawResponse != nil && (auth.RawResponse.StatusCode >= 500 || auth.RawResponse.StatusCode == http.StatusTooManyRequests) {
		return fmt.Errorf("azure: %w: Microsoft Entra ID, which gives out logins, answers %s", resource.ErrUnreachable, statusOf(auth.RawResponse))
	}
	if strings.Contains(err.Error(), "failed to acquire a token") { // the chain's own
		return fmt.Errorf("azure: %w: %s", resource.ErrRefused, chainMessage(err))
	}
	var login *loginError
	if errors.As(err, &login) {
		return fmt.Errorf("azure: %w: %s: %s", resource.ErrRefused, login.name, authMessage(login.err))
	}
	if errors.As(err, &auth) {
		return fmt.Errorf("azure: %w: %s", resource.ErrRefused, authMessage(auth))
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("azure: %w: %w", resource.ErrUnreachable, err)
}

func explainResponse(resp *azcore.ResponseError) error {
	f := &Failure{Status: resp.StatusCode, Code: resp.ErrorCode}
	if r := resp.RawResponse; r != nil && r.Body != nil {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		code, message := readFailure(body)
		f.Code, f.Message = cmp.Or(code, f.Code), message
	}
	if f.Code == "" {
		f.Code = fmt.Sprintf("Azure answers %d %s", f.Status, http.StatusText(f.Status))
	}
	f.Advice, f.kind = judge(f.Status, f.Code, f.Message)
	return f
}

// readFailure reads the body of an error, and of one that only holds others the
// innermost.
func readFailure(body []byte) (code, message string) {
	type failure struct {
		Code, Message string
		Details       []json.RawMessage
	}
	var outer struct {
		Error *failure
		failure
	}
	if json.Unmarshal(body, &outer) != nil {
		return "", ""
	}
	f := &outer.failure
	if outer.Error != nil {
		f = outer.Error
	}
	for len(f.Details) == 1 {
		var inner failure
		if json.Unmarshal(f.Details[0], &inner) != nil || inner.Code == "" || inner.Message == "" {
			break
		}
		f = &inner
	}
	return f.Code, strings.TrimSpace(strings.ReplaceAll(f.Message, "\r\n", " "))
}

var (
	missingAction = pattern.Of(`perform action '([^']+)'`)
	wholeScope    = pattern.Of(`over scope '/subscriptions/[^/']+(/providers/[^']*)?'`)
)

// role is what to do about a right that is missing. Some are asked for of the whole
// subscription, where a role of a group in it says nothing.
func role(action string, whole bool) string {
	name, scope := "Contributor", "resource group"
	if whole {
		scope = "subscription"
	}
	if whole && strings.HasSuffix(action, "/read") {
		name = "Reader"
	}
	return "have the login given a role with " + action + ", such as " + name + " on the " + scope
}

// judge says what a code means to us, and what a person can do about it.
func judge(status int, code, message string) (advice string, kind error) {
	switch {
	case code == codeUnregistered:
		return registerAdvice(message), resource.ErrMissing
	case code == "AuthorizationFailed" || code == "LinkedAuthorizationFailed":
		action := "what was asked for"
		if m := missingAction().FindStringSubmatch(message); m != nil {
			action = m[1]
		}
		return role(action, wholeScope().MatchString(message)), resource.ErrRefused
	case status == http.StatusUnauthorized:
		return "log in again: az login, or new AZURE_CLIENT_SECRET", resource.ErrRefused
	case isQuota(code, message):
		return "ask for more with az quota, or use another size or region", nil
	case code == "SkuNotAvailable" || code == "ZonalAllocationFailed" || code == "AllocationFailed":
		return "use another size, zone or region", nil
	case code == "MarketplacePurchaseEligibilityFailed":
		return "accept them with az vm image terms accept", nil
	case code == "DnsRecordInUse":
		return "use another dns_label", nil
	case code == noSubscription:
		return "give one that the login sees: subscription =, or AZURE_SUBSCRIPTION_ID", resource.ErrRefused
	case busyCodes[code]: // what an operation ended with: the step is tried again
		return "", resource.ErrTransient
	case status == http.StatusNotFound:
		return "", resource.ErrMissing
	case status == http.StatusPreconditionFailed:
		return "", resource.ErrConflict
	case status == http.StatusTooManyRequests || status >= 500:
		return "", resource.ErrTransient
	}
	return "", nil
}

// isQuota reports whether an error is about a quota, whatever its code is.
func isQuota(code, message string) bool {
	return strings.Contains(code, "Quota") || strings.HasSuffix(code, "CountLimitReached") || strings.Contains(message, "quota")
}

// noSubscription is the code where there is none of that ID, or none that the login
// sees.
const noSubscription = "SubscriptionNotFound"

// isMissing reports whether an error says that there is no such resource, no such
// group, or nothing of that provider. A subscription that is not there says nothing of
// what is in it.
func isMissing(err error) bool {
	var resp *azcore.ResponseError
	return errors.Is(err, resource.ErrMissing) || errors.As(err, &resp) &&
		(resp.StatusCode == http.StatusNotFound && resp.ErrorCode != noSubscription || resp.ErrorCode == codeUnregistered)
}

// noAnswer is why a request was not answered at all, "" where one was.
func noAnswer(err error) string {
	said := err.Error()
	why := dialError().FindString(said)
	if m := urlError().FindStringSubmatch(said); why == "" && m != nil {
		why = m[1] + ": " + m[2]
	}
	why, _, _ = strings.Cut(why, ". To troubleshoot")
	return why
}

// What Go says where no connection is made, and where none is good enough to be asked
// something. The SDK keeps the text alone.
var (
	dialError = pattern.Of(`(proxyconnect tcp: )?(dial (tcp|udp) |lookup )[^\n]*`)
	urlError  = pattern.Of(`(?:Get|Post) "https://([^/"]+)[^"]*": ([^\n]+)`)
)

var aadError = pattern.Of(`AADSTS\d+: [^"\\\r\n]+`)

// authMessage is what Entra says of a login, in a line.
func authMessage(err error) string {
	if m := aadError().FindString(err.Error()); m != "" {
		return withoutTrace(m)
	}
	return oneLine(err.Error())
}

// withoutTrace leaves out of what Entra says by what it would find the request again.
func withoutTrace(said string) string {
	said, _, _ = strings.Cut(said, " Trace ID: ")
	return strings.TrimSpace(said)
}

// attempted is the beginning of what the chain says of one credential.
var attempted = pattern.Of(`\n\t([^\t\n:]+): `)

// chainMessage says which credential was refused, and why; or that there was none.
func chainMessage(err error) string {
	said := err.Error()
	if at := aadError().FindStringIndex(said); at != nil {
		m := withoutTrace(said[at[0]:at[1]])
		if names := attempted().FindAllStringSubmatch(said[:at[0]], -1); names != nil {
			m = names[len(names)-1][1] + ": " + m
		}
		return m
	}
	var auth *azidentity.AuthenticationFailedError
	if name, why := givenLogin(err); name != "" && errors.As(err, &auth) {
		if auth.RawResponse != nil {
			why = "Microsoft Entra ID answers " + statusOf(auth.RawResponse)
		}
		return name + ": " + why
	}
	return "no login to Azure was found; run az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
}

// givenLogin is the last credential that was tried, and what is said of it, if somebody
// gave it. Another one may just not be there: where az is, and has not logged in; or
// where something answers that is not Azure's service inside of its machines.
func givenLogin(err error) (name, why string) {
	said := err.Error()
	all := attempted().FindAllStringSubmatchIndex(said, -1)
	if all == nil {
		return "", ""
	}
	last := all[len(all)-1]
	if name = said[last[2]:last[3]]; name != principalName && name != workloadName {
		return "", ""
	}
	return name, oneLine(said[last[1]:])
}

func statusOf(r *http.Response) string {
	return fmt.Sprintf("%d %s", r.StatusCode, http.StatusText(r.StatusCode))
}

func oneLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
