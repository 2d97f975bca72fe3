package aptrepo

import (
	"path/filepath"
)

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
	return dockerService + dockerSocket + dockerPostinst + dockerPrerm + dockerPostrm + containerdService + "3"
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
