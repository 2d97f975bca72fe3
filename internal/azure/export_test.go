package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	armruntime "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// NoRegistry is what an error of a connection to a registry is said to be.
var NoRegistry = noRegistry

// Through has it send its requests to something else than the network.
func (c *Conn) Through(t policy.Transporter) *Conn {
	c.through = t
	return c
}

// Send does by hand what somebody else might do to a resource of the group:
// path is what comes after the group's ID.
func (c *Conn) Send(ctx context.Context, method, path, version string, body any) (map[string]any, error) {
	cl, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	pl, err := armruntime.NewPipeline("test", "1", cl.account.cred, runtime.PipelineOptions{}, &cl.account.options)
	if err != nil {
		return nil, err
	}
	endpoint := cl.account.options.Cloud.Services[cloud.ResourceManager].Endpoint
	url := endpoint + "/subscriptions/" + cl.subscription + "/resourceGroups/" + c.Group() + path + "?api-version=" + version
	req, err := runtime.NewRequest(ctx, method, url)
	if err != nil {
		return nil, err
	}
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		if err := req.SetBody(nopCloser{bytes.NewReader(data)}, "application/json"); err != nil {
			return nil, err
		}
	}
	resp, err := pl.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	defer resp.Body.Close()
	if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent) {
		return nil, explain(runtime.NewResponseError(resp))
	}
	if resp.Header.Get("Azure-AsyncOperation") != "" || resp.Header.Get("Location") != "" {
		p, err := runtime.NewPoller[map[string]any](resp, pl, nil)
		if err != nil {
			return nil, err
		}
		got, err := p.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: time.Second})
		return got, explain(err)
	}
	var got map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil && err != io.EOF {
		return nil, err
	}
	return got, nil
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// Watch has a policy see each request to Azure, and its answer. Where there is no
// login nothing is sent to Resource Manager that could be seen.
func (c *Conn) Watch(ctx context.Context, p policy.Policy) error {
	cl, err := c.dial(ctx)
	if err != nil {
		return err
	}
	cl.account.options.PerCallPolicies = append(cl.account.options.PerCallPolicies, p)
	watched, err := newClients(cl.subscription, cl.from, cl.account)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients = watched
	return nil
}
