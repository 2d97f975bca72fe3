package emulator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Runner runs what extensions run.
type Runner interface {
	// Run runs a script of the shell on a machine, as root. An error says that it
	// could not be run.
	Run(ctx context.Context, id, script string) (Ran, error)
}

// Ran is how a script ended.
type Ran struct {
	Status         int
	Stdout, Stderr string
}

func (noMachines) Run(context.Context, string, string) (Ran, error) { return Ran{}, nil }

// handlers are the extensions that there are, by their publisher and type in small
// letters, with their newest version. All but the first do nothing here.
var handlers = map[string]string{
	customScript: "2.1",
	"microsoft.azure.extensions/dockerextension":              "1.2",
	"microsoft.azure.monitor/azuremonitorlinuxagent":          "1.35",
	"microsoft.azure.activedirectory/aadsshloginforlinux":     "1.0",
	"microsoft.azure.networkwatcher/networkwatcheragentlinux": "1.4",
	"microsoft.ostcextensions/vmaccessforlinux":               "1.5",
}

const customScript = "microsoft.azure.extensions/customscript"

// handlerOf is the publisher and type of an extension.
func handlerOf(props object) string {
	return strings.ToLower(text(props, "publisher") + "/" + text(props, "type"))
}

// What is kept of an extension and never answered.
const (
	secretSettings = "protectedSettings"
	secretDone     = "done"    // what it was when it ran last
	secretMessage  = "message" // what it said then
	secretFailed   = "failed"
)

// putExtension checks an extension of a virtual machine.
func putExtension(w *write) error {
	props := w.props()
	vm := w.get(w.path.parent().key())
	if vm.Power != powerRunning {
		return errNotRunning()
	}
	if vm.Operation != "" {
		return w.busy(vm)
	}
	for _, k := range []string{"publisher", "type", "typeHandlerVersion"} {
		if text(props, k) == "" {
			return errParameter(k, "Required parameter '%s' is missing (null).", k)
		}
		if was := text(w.was(), k); was != "" && k != "typeHandlerVersion" && was != text(props, k) {
			return conflict("PropertyChangeNotAllowed", "Changing property '%s' is not allowed.", k).on(k)
		}
	}
	if err := w.checkHandler(vm); err != nil {
		return err
	}
	secret := cloneObject(w.rec.Secret)
	if secret == nil {
		secret = object{}
	}
	if s := props[secretSettings]; s != nil {
		secret[secretSettings] = s
	} else if !w.patch {
		delete(secret, secretSettings)
	}
	w.rec.Secret = secret
	delete(props, secretSettings)
	delete(props, "instanceView")
	fill(props, "autoUpgradeMinorVersion", false)
	return nil
}

func errNotRunning() *Failure {
	return conflict("OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.")
}

// checkHandler refuses an extension that there is not, or that the machine has.
func (w *write) checkHandler(vm *record) error {
	props := w.props()
	newest, known := handlers[handlerOf(props)]
	if !known {
		return fail(http.StatusNotFound, "ArtifactNotFound", "The VM extension with publisher '%s' and type '%s' could not be found.", text(props, "publisher"), text(props, "type"))
	}
	major, _, _ := strings.Cut(text(props, "typeHandlerVersion"), ".")
	if has, _, _ := strings.Cut(newest, "."); major != has {
		return conflict("VMExtensionHandlerNonTransientError", "The handler for VM extension type '%s.%s' with version '%s' was not found.", text(props, "publisher"), text(props, "type"), text(props, "typeHandlerVersion")).on("typeHandlerVersion")
	}
	for _, key := range w.below(vm.key() + "/extensions/") {
		if other := w.get(key); key != w.rec.key() && handlerOf(other.properties()) == handlerOf(props) {
			return bad("BadRequest", "Multiple VMExtensions per handler not supported for OS type 'Linux'. VMExtension '%s' with handler '%s.%s' already added or specified in input.", other.path().name(), text(props, "publisher"), text(props, "type"))
		}
	}
	return nil
}

// extensionInUse refuses to take an extension from a machine that is off. Those of a
// machine that goes, go with it.
func extensionInUse(t *tx, r *record) *Failure {
	if vm := t.get(r.path().parent().key()); vm != nil && vm.Power != powerRunning {
		return errNotRunning()
	}
	return nil
}

// workExtension runs an extension that is new, or other than when it ran last. One
// that is not says what it said then.
func workExtension(ctx context.Context, e *Emulator, op *operation) error {
	if op.Verb != verbPut {
		return nil
	}
	var r *record
	key := keyOf(op.Target)
	_ = e.do(func(t *tx) error { r = t.get(key); return nil })
	if r == nil {
		return nil
	}
	props := sub(r.Body, "properties")
	now, err := json.Marshal([]any{props["settings"], r.Secret[secretSettings], props["forceUpdateTag"], props["typeHandlerVersion"]})
	if err != nil {
		return err
	}
	message, failed := text(r.Secret, secretMessage), r.Secret[secretFailed] == true
	if text(r.Secret, secretDone) != string(now) {
		message, failed = e.enable(ctx, r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := e.do(func(t *tx) error {
			if r := t.edit(key); r != nil {
				r.Secret[secretDone], r.Secret[secretMessage], r.Secret[secretFailed] = string(now), message, failed
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !failed {
		return nil
	}
	return conflict("VMExtensionProvisioningError", "VM has reported a failure when processing extension '%s' (publisher '%s' and type '%s'). Error message: \"%s\". More information on troubleshooting is available at https://aka.ms/VMExtensionCSELinuxTroubleshoot. ",
		r.path().name(), text(props, "publisher"), text(props, "type"), message)
}

// enable does what an extension does, and returns what it says.
func (e *Emulator) enable(ctx context.Context, r *record) (message string, failed bool) {
	props := sub(r.Body, "properties")
	if handlerOf(props) != customScript {
		return "Enable succeeded", false
	}
	script, err := scriptOf(props, r.Secret)
	if err != nil {
		return "Enable failed: " + err.Error(), true
	}
	ran, err := e.opts.Machines.Run(ctx, r.path().parent().key(), script)
	if err != nil {
		return "Enable failed: failed to execute command: " + err.Error(), true
	}
	streams := "\n[stdout]\n" + tail(ran.Stdout) + "\n[stderr]\n" + tail(ran.Stderr)
	if ran.Status != 0 {
		return fmt.Sprintf("Enable failed: failed to execute command: command terminated with exit status=%d%s", ran.Status, streams), true
	}
	return "Enable succeeded: " + streams, false
}

// tail is the end of what a script wrote: so much of it is told.
func tail(s string) string {
	const most = 4096
	return s[max(0, len(s)-most):]
}

// scriptOf is what a CustomScript shall run.
func scriptOf(props, secret object) (string, error) {
	settings, hidden := sub(props, "settings"), sub(secret, secretSettings)
	get := func(key string) string { return text(settings, key) + text(hidden, key) }
	switch {
	case settings["fileUris"] != nil || hidden["fileUris"] != nil:
		return "", fmt.Errorf("this emulator downloads no fileUris")
	case text(settings, "commandToExecute") != "" && text(hidden, "commandToExecute") != "":
		return "", fmt.Errorf("invalid configuration: 'commandToExecute' was specified both in public and protected settings; it must be specified only once")
	case get("commandToExecute") != "" && get("script") != "":
		return "", fmt.Errorf("invalid configuration: 'commandToExecute' and 'script' were both specified, but only one is validate at a time")
	case get("script") != "":
		data, err := base64.StdEncoding.DecodeString(get("script"))
		if err != nil {
			return "", fmt.Errorf("failed to decode script: %w", err)
		}
		return string(data), nil
	case get("commandToExecute") != "":
		return get("commandToExecute"), nil
	}
	return "", fmt.Errorf("invalid configuration: 'commandToExecute' is not specified")
}

// extensionView is what an extension says of itself.
func extensionView(r *record) object {
	props := sub(r.Body, "properties")
	code, level, display := "ProvisioningState/succeeded", "Info", "Provisioning succeeded"
	if r.Secret[secretFailed] == true {
		code, level, display = "ProvisioningState/failed/0", "Error", "Provisioning failed"
	}
	return object{
		"name": r.path().name(), "type": text(props, "publisher") + "." + text(props, "type"), "typeHandlerVersion": text(props, "typeHandlerVersion"),
		"statuses": []any{object{"code": code, "level": level, "displayStatus": display, "message": text(r.Secret, secretMessage)}},
	}
}
