package aptrepo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Versions are those of docker-ce in the stable channel, the newest last; Test is the one that only the test channel has.
var Versions = []string{"28.5.1", "28.5.2"}

// Test is the version that only the channel test has.
const Test = "29.0.0~rc.1"

// full is a version as Docker's packages have it.
func full(version string) string { return "5:" + version + "-1~debian.any~test" }

// docker is a folder with Docker's packages, and a list of them for each channel, in a file of its name.
func docker(tb testing.TB) string {
	tb.Helper()
	programs := filepath.Dir(testengine.CLI(tb))
	return cached(tb, "docker-ce", recipe()+filepath.Base(programs), func(dir string) {
		stable := containerd().build(tb, dir)
		for _, v := range Versions {
			for _, p := range versioned(programs, full(v)) {
				stable += p.build(tb, dir)
			}
		}
		test := stable
		for _, p := range versioned(programs, full(Test)) {
			test += p.build(tb, dir)
		}
		must(tb, os.WriteFile(filepath.Join(dir, "stable"), []byte(stable), 0o644))
		must(tb, os.WriteFile(filepath.Join(dir, "test"), []byte(test), 0o644))
	})
}

// versioned are the packages that have the engine's version.
func versioned(programs, version string) []deb {
	return []deb{
		{
			name: "docker-ce", version: version,
			depends: "containerd.io, docker-ce-cli, iptables", conflicts: "docker.io",
			files: map[string]string{
				"usr/bin/dockerd":      filepath.Join(programs, "dockerd"),
				"usr/bin/docker-proxy": filepath.Join(programs, "docker-proxy"),
			},
			texts: map[string]string{
				"usr/lib/systemd/system/docker.service": dockerService,
				"usr/lib/systemd/system/docker.socket":  dockerSocket,
			},
			scripts: map[string]string{"postinst": dockerPostinst, "prerm": dockerPrerm, "postrm": dockerPostrm},
		},
		{
			name: "docker-ce-cli", version: version, depends: "libc6", conflicts: "docker-cli",
			files: map[string]string{"usr/bin/docker": filepath.Join(programs, "docker")},
		},
	}
}

// containerd is Debian 12's, which Debian 13's libraries serve as well.
func containerd() deb {
	return deb{
		name: "containerd.io", version: "1.7.27-1", depends: "libc6, libseccomp2", conflicts: "containerd, runc",
		files: map[string]string{
			"usr/bin/containerd":              "/usr/bin/containerd",
			"usr/bin/containerd-shim-runc-v2": "/usr/bin/containerd-shim-runc-v2",
			"usr/bin/ctr":                     "/usr/bin/ctr",
			"usr/bin/runc":                    "/usr/sbin/runc",
		},
		texts: map[string]string{"usr/lib/systemd/system/containerd.service": containerdService},
		scripts: map[string]string{
			"postinst": "#!/bin/sh\nset -e\nsystemctl daemon-reload\nsystemctl enable -q containerd.service\nsystemctl restart containerd.service\n",
			"prerm":    "#!/bin/sh\nset -e\nif [ \"$1\" = remove ]; then systemctl stop containerd.service; fi\n",
		},
	}
}

// recipe is what makes the packages what they are, beside the programs.
func recipe() string {
	return dockerService + dockerSocket + dockerPostinst + dockerPrerm + dockerPostrm + containerdService + strings.Join(Versions, " ") + Test + "4"
}

const dockerService = `[Unit]
Description=Docker Application Container Engine
After=network-online.target docker.socket containerd.service
Wants=network-online.target containerd.service
Requires=docker.socket
StartLimitBurst=3
StartLimitIntervalSec=60

[Service]
Type=notify
ExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
ExecReload=/bin/kill -s HUP $MAINPID
TimeoutStartSec=0
RestartSec=2
Restart=always
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
Delegate=yes
KillMode=process

[Install]
WantedBy=multi-user.target
`

const dockerSocket = `[Unit]
Description=Docker Socket for the API

[Socket]
ListenStream=/run/docker.sock
SocketMode=0660
SocketUser=root
SocketGroup=docker

[Install]
WantedBy=sockets.target
`

const dockerPostinst = `#!/bin/sh
set -e
getent group docker >/dev/null || groupadd --system docker
systemctl daemon-reload
systemctl enable -q docker.service docker.socket
systemctl restart docker.service || true
`

const dockerPrerm = `#!/bin/sh
set -e
if [ "$1" = remove ]; then systemctl stop docker.socket docker.service || true; systemctl disable -q docker.service docker.socket || true; fi
`

const dockerPostrm = `#!/bin/sh
set -e
if [ "$1" = purge ]; then rm -rf /var/lib/docker; fi
systemctl daemon-reload
`

const containerdService = `[Unit]
Description=containerd container runtime
After=network.target

[Service]
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
`
