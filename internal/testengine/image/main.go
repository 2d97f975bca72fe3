// Command image is the one program in every test image. Its first argument says what it is:
//
//	web         answer HTTP on $PORT (default 8080): / with version and host name, /env/NAME, /secret/NAME (a file of
//	            /run/secrets), /file?path=P, /health (503 while $UNHEALTHY is set), POST /exit/N
//	sleep       wait for SIGTERM
//	exit N      print what a MariaDB without a root password prints, and exit with N
//	health      ask the web of the same container for /health: a health check
//
// web and sleep exit with 0 at SIGTERM, at once, because every second of a stopping container is a second of a test.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	mode := "web"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	switch mode {
	case "web":
		go web()
		<-term
	case "sleep":
		<-term
	case "exit":
		os.Exit(fail(os.Args[2:]))
	case "health":
		os.Exit(health())
	default:
		fmt.Fprintf(os.Stderr, "unknown mode %q\n", mode)
		os.Exit(2)
	}
}

func address() string {
	if port := os.Getenv("PORT"); port != "" {
		return ":" + port
	}
	return ":8080"
}

func web() {
	// $START_DELAY makes a container that runs, but is not ready yet.
	if delay, err := time.ParseDuration(os.Getenv("START_DELAY")); err == nil {
		time.Sleep(delay)
	}
	host, _ := os.Hostname()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "version %s on %s\n", os.Getenv("VERSION"), host)
	})
	mux.HandleFunc("GET /env/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getenv(r.PathValue("name")))
	})
	mux.HandleFunc("GET /secret/{name}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("/run/secrets", filepath.Base(r.PathValue("name"))))
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, r.URL.Query().Get("path"))
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		if os.Getenv("UNHEALTHY") != "" {
			http.Error(w, "unhealthy", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("POST /exit/{code}", func(w http.ResponseWriter, r *http.Request) {
		os.Exit(fail([]string{r.PathValue("code")}))
	})
	fmt.Printf("swarmtest: version %s listens on %s\n", os.Getenv("VERSION"), address())
	fmt.Fprintln(os.Stderr, http.ListenAndServe(address(), mux))
	os.Exit(1)
}

// fail prints the lines that a user needs to see, and that "0/1 replicas" hides.
func fail(args []string) int {
	fmt.Fprintln(os.Stderr, "2026-01-01 12:00:00+00:00 [ERROR] [Entrypoint]: Database is uninitialized and password option is not specified")
	fmt.Fprintln(os.Stderr, "\tYou need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD")
	code := 1
	if len(args) > 0 {
		if n, err := strconv.Atoi(args[0]); err == nil {
			code = n
		}
	}
	return code
}

func health() int {
	resp, err := http.Get("http://127.0.0.1" + address() + "/health")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}
