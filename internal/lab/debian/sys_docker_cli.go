package debian

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"text/template"

	"github.com/docker/docker/api/types/container"
	imageapi "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

// dockerCommand is docker on the machine itself, as far as people look at an engine with
// it. The whole of it can be had beside the lab, through the engine's API.
func dockerCommand(ctx context.Context, c *call) int {
	words := c.args[1:]
	if len(words) == 0 {
		return c.notSimulated("without a command")
	}
	version, _ := c.sys.cliVersion()
	if words[0] == "--version" || words[0] == "-v" {
		c.printf("Docker version %s, build %s\n", version, dockerBuild)
		return 0
	}
	d, err := c.dockerClient()
	if err != nil {
		return c.fail(1, "%v", err)
	}
	defer d.Close()
	format, quiet, all, force := "", false, false, false
	var operands []string
	for i := 1; i < len(words); i++ {
		switch w := words[i]; {
		case (w == "-f" && words[0] != "swarm" || w == "--format") && i+1 < len(words):
			i++
			format = words[i]
		case strings.HasPrefix(w, "--format="):
			format = strings.TrimPrefix(w, "--format=")
		case w == "-q" || w == "--quiet":
			quiet = true
		case w == "-a" || w == "--all" || w == "-aq" || w == "-qa":
			all, quiet = true, quiet || w != "-a" && w != "--all"
		case w == "--force" || w == "-f":
			force = true
		case strings.HasPrefix(w, "-"):
			return c.notSimulated(strings.Join(words, " "))
		default:
			operands = append(operands, w)
		}
	}
	what := strings.Join(append(words[:1:1], operands...), " ")
	if tables := []string{"images", "image ls", "node ls", "service ls"}; format != "" && slices.Contains(tables, what) {
		return c.notSimulated(what + " with a format")
	}
	var show any
	switch what {
	case "info", "system info":
		show, err = d.Info(ctx)
	case "version":
		if format == "" {
			return c.notSimulated("version without a format")
		}
		server, e := d.ServerVersion(ctx)
		show, err = map[string]any{"Server": server, "Client": map[string]string{"Version": version}}, e
	case "ps", "container ls":
		return c.dockerPs(ctx, d, all, quiet, format)
	case "images", "image ls":
		return c.dockerImages(ctx, d, quiet)
	case "node ls":
		return c.dockerNodes(ctx, d, quiet)
	case "service ls":
		return c.dockerServices(ctx, d, quiet)
	case "swarm leave":
		if err = d.SwarmLeave(ctx, force); err == nil {
			c.printf("Node left the swarm.\n")
			return 0
		}
	default:
		return c.notSimulated(strings.Join(words, " ") + " (eval $(swarmscript lab env " + c.sys.hostname() + ") points the docker CLI of your computer at this engine)")
	}
	if err != nil {
		return c.dockerFails(err)
	}
	return c.dockerShow(show, format)
}

// cliVersion is that of docker's CLI on the machine.
func (s *System) cliVersion() (string, bool) {
	for _, name := range []string{"docker-ce-cli", "docker-cli", "docker.io"} {
		if v, ok := s.isInstalled(name); ok {
			_, upstream, _ := splitVersion(v)
			return upstream, true
		}
	}
	return "", false
}

// dockerClient is a client of the machine's engine, as who runs the command.
func (c *call) dockerClient() (*client.Client, error) {
	who := c.proc.who.Name
	return client.NewClientWithOpts(client.WithHost("unix://"+dockerSocket), client.WithAPIVersionNegotiation(),
		client.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.sys.DialAs(ctx, who, dockerSocket)
		}))
}

func (c *call) dockerFails(err error) int {
	c.flush()
	text := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	switch {
	case strings.Contains(text, EACCES.Error()):
		text = "permission denied while trying to connect to the Docker daemon socket at unix://" + dockerSocket
	case client.IsErrConnectionFailed(err):
		text = "Cannot connect to the Docker daemon at unix://" + dockerSocket + ". Is the docker daemon running?"
	default:
		text = "Error response from daemon: " + text
	}
	fmt.Fprintln(c.stderr, text)
	return 1
}

var dockerFuncs = template.FuncMap{
	"json":  func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err },
	"join":  strings.Join,
	"lower": strings.ToLower, "upper": strings.ToUpper,
}

func (c *call) dockerShow(v any, format string) int {
	if format == "" || format == "json" {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return c.fail(1, "%v", err)
		}
		c.printf("%s\n", b)
		return 0
	}
	t, err := template.New("").Funcs(dockerFuncs).Parse(format)
	if err == nil {
		err = t.Execute(c.stdout, v)
	}
	if err != nil {
		return c.fail(64, "template parsing error: %v", err)
	}
	c.printf("\n")
	return 0
}

// rows prints a table.
func (c *call) rows(head string, rows [][]string) {
	w := tabwriter.NewWriter(c.stdout, 20, 1, 3, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(head, "|", "\t"))
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	w.Flush()
}

func (c *call) dockerPs(ctx context.Context, d *client.Client, all, quiet bool, format string) int {
	list, err := d.ContainerList(ctx, container.ListOptions{All: all})
	if err != nil {
		return c.dockerFails(err)
	}
	var rows [][]string
	for _, one := range list {
		name := ""
		if len(one.Names) > 0 {
			name = path.Base(one.Names[0])
		}
		row := map[string]string{"ID": one.ID[:min(12, len(one.ID))], "Image": one.Image, "Status": one.Status, "Names": name, "State": one.State}
		switch {
		case quiet:
			c.printf("%s\n", row["ID"])
		case format != "":
			if code := c.dockerShow(row, format); code != 0 {
				return code
			}
		default:
			rows = append(rows, []string{row["ID"], row["Image"], row["Status"], row["Names"]})
		}
	}
	if !quiet && format == "" {
		c.rows("CONTAINER ID|IMAGE|STATUS|NAMES", rows)
	}
	return 0
}

func (c *call) dockerImages(ctx context.Context, d *client.Client, quiet bool) int {
	list, err := d.ImageList(ctx, imageapi.ListOptions{})
	if err != nil {
		return c.dockerFails(err)
	}
	var rows [][]string
	for _, one := range list {
		id := strings.TrimPrefix(one.ID, "sha256:")
		id = id[:min(12, len(id))]
		if quiet {
			c.printf("%s\n", id)
		}
		for _, tag := range one.RepoTags {
			i := strings.LastIndexByte(tag, ':')
			rows = append(rows, []string{tag[:max(0, i)], tag[i+1:], id})
		}
	}
	if !quiet {
		c.rows("REPOSITORY|TAG|IMAGE ID", rows)
	}
	return 0
}

func (c *call) dockerNodes(ctx context.Context, d *client.Client, quiet bool) int {
	list, err := d.NodeList(ctx, swarm.NodeListOptions{})
	if err != nil {
		return c.dockerFails(err)
	}
	here, err := d.Info(ctx)
	if err != nil {
		return c.dockerFails(err)
	}
	var rows [][]string
	for _, n := range list {
		if quiet {
			c.printf("%s\n", n.ID)
			continue
		}
		manager := ""
		if n.ManagerStatus != nil {
			manager = capital(string(n.ManagerStatus.Reachability))
			if n.ManagerStatus.Leader {
				manager = "Leader"
			}
		}
		id := n.ID
		if id == here.Swarm.NodeID {
			id += " *"
		}
		rows = append(rows, []string{id, n.Description.Hostname, capital(string(n.Status.State)), capital(string(n.Spec.Availability)), manager, n.Description.Engine.EngineVersion})
	}
	if !quiet {
		c.rows("ID|HOSTNAME|STATUS|AVAILABILITY|MANAGER STATUS|ENGINE VERSION", rows)
	}
	return 0
}

// capital is a word as docker's tables show it.
func capital(word string) string {
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

func (c *call) dockerServices(ctx context.Context, d *client.Client, quiet bool) int {
	list, err := d.ServiceList(ctx, swarm.ServiceListOptions{Status: true})
	if err != nil {
		return c.dockerFails(err)
	}
	var rows [][]string
	for _, s := range list {
		if quiet {
			c.printf("%s\n", s.ID)
			continue
		}
		running := "?"
		if s.ServiceStatus != nil {
			running = fmt.Sprintf("%d/%d", s.ServiceStatus.RunningTasks, s.ServiceStatus.DesiredTasks)
		}
		img := ""
		if spec := s.Spec.TaskTemplate.ContainerSpec; spec != nil {
			img, _, _ = strings.Cut(spec.Image, "@")
		}
		rows = append(rows, []string{s.ID[:min(12, len(s.ID))], s.Spec.Name, running, img})
	}
	if !quiet {
		c.rows("ID|NAME|REPLICAS|IMAGE", rows)
	}
	return 0
}
