package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// federated gives the token of another identity provider, such as that of a CI's jobs,
// which ARM_USE_OIDC says to log in with; nil where it does not. A file is read anew for
// each login: who writes it renews it.
func federated() (func(context.Context) (string, error), error) {
	use := os.Getenv("ARM_USE_OIDC")
	if on, err := strconv.ParseBool(use); use == "" || err == nil && !on {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("ARM_USE_OIDC is %q, want true or false", use)
	}
	token, file := os.Getenv("ARM_OIDC_TOKEN"), os.Getenv("ARM_OIDC_TOKEN_FILE_PATH")
	switch {
	case token != "":
		return func(context.Context) (string, error) { return token, nil }, nil
	case file != "":
		return func(context.Context) (string, error) {
			text, err := os.ReadFile(file)
			return strings.TrimSpace(string(text)), err
		}, nil
	}
	if at, bearer := os.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), os.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"); at != "" && bearer != "" {
		return func(ctx context.Context) (string, error) { return jobToken(ctx, at, bearer) }, nil
	}
	return nil, errors.New("ARM_USE_OIDC is set, and none of ARM_OIDC_TOKEN, ARM_OIDC_TOKEN_FILE_PATH and ACTIONS_ID_TOKEN_REQUEST_URL is")
}

// jobToken asks for the token of a job of GitHub Actions, as its runner says where.
func jobToken(ctx context.Context, at, bearer string) (string, error) {
	u, err := url.Parse(at)
	if err != nil {
		return "", fmt.Errorf("ACTIONS_ID_TOKEN_REQUEST_URL: %w", err)
	}
	q := u.Query()
	q.Set("audience", "api://AzureADTokenExchange")
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("the job's token: %w", err)
	}
	defer res.Body.Close()
	var token struct{ Value string }
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&token); err != nil || token.Value == "" {
		return "", fmt.Errorf("the job's token: %s answers %s without one; the job needs permissions: id-token: write", u.Host, res.Status)
	}
	return token.Value, nil
}
