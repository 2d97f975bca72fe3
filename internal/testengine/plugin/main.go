// Command plugin is the program in every test plugin: a driver of volumes that hold nothing. It answers docker's volume
// plugin protocol on the socket test.sock, and knows its volumes until it ends.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// socket is where docker looks for it, under the name in its configuration.
const socket = "/run/docker/plugins/test.sock"

type request struct {
	Name string
	Opts map[string]string
}

type volume struct{ Name, Mountpoint string }

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	if err := os.MkdirAll("/run/docker/plugins", 0o755); err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	volumes := map[string]volume{}
	answer := func(path string, do func(request) map[string]any) {
		http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			var in request
			json.NewDecoder(r.Body).Decode(&in) // some have no body
			mu.Lock()
			defer mu.Unlock()
			json.NewEncoder(w).Encode(do(in))
		})
	}
	answer("/Plugin.Activate", func(request) map[string]any { return map[string]any{"Implements": []string{"VolumeDriver"}} })
	answer("/VolumeDriver.Capabilities", func(request) map[string]any {
		return map[string]any{"Capabilities": map[string]string{"Scope": "local"}}
	})
	answer("/VolumeDriver.Create", func(in request) map[string]any {
		volumes[in.Name] = volume{Name: in.Name}
		return map[string]any{}
	})
	answer("/VolumeDriver.Remove", func(in request) map[string]any {
		delete(volumes, in.Name)
		return map[string]any{}
	})
	answer("/VolumeDriver.Get", func(in request) map[string]any {
		v, ok := volumes[in.Name]
		if !ok {
			return map[string]any{"Err": "no such volume"}
		}
		return map[string]any{"Volume": v}
	})
	answer("/VolumeDriver.List", func(request) map[string]any {
		list := []volume{}
		for _, v := range volumes {
			list = append(list, v)
		}
		return map[string]any{"Volumes": list}
	})
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		os.Exit(0)
	}()
	return http.Serve(l, nil)
}
