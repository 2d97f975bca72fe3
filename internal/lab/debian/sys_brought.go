package debian

// broughts are the files, accounts and units of packages, by name. The units are short:
// they have what systemd acts on here.
var broughts = map[string]bring{
	"docker-ce": {
		groups:   []string{"docker"},
		folders:  []string{"/etc/docker", "/var/lib/docker"},
		programs: []string{"/usr/bin/dockerd", "/usr/bin/docker-proxy", "/usr/libexec/docker/docker-init"},
		units: []broughtUnit{
			{name: "docker.socket", text: dockerSocketUnit},
			{name: "docker.service", text: dockerUnit("/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock")},
		},
	},
	"docker-ce-cli":             {programs: []string{"/usr/bin/docker"}},
	"docker-ce-rootless-extras": {programs: []string{"/usr/bin/dockerd-rootless.sh", "/usr/bin/dockerd-rootless-setuptool.sh", "/usr/bin/rootlesskit"}},
	"docker-buildx-plugin":      {programs: []string{"/usr/libexec/docker/cli-plugins/docker-buildx"}},
	"docker-compose-plugin":     {programs: []string{"/usr/libexec/docker/cli-plugins/docker-compose"}},
	"containerd.io": {
		programs: []string{"/usr/bin/containerd", "/usr/bin/containerd-shim-runc-v2", "/usr/bin/ctr", "/usr/bin/runc"},
		files:    []broughtFile{{path: "/etc/containerd/config.toml", text: "disabled_plugins = [\"cri\"]\n", conf: true}},
		units:    []broughtUnit{{name: "containerd.service", text: containerdUnit}},
	},
	"docker.io": {
		groups:  []string{"docker"},
		folders: []string{"/etc/docker", "/var/lib/docker"},
		files:   []broughtFile{{path: "/etc/default/docker", text: "# Options of dockerd: DOCKER_OPTS=\"\"\n", conf: true}},
		units: []broughtUnit{
			{name: "docker.socket", text: dockerSocketUnit},
			{name: "docker.service", text: dockerUnit("/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS")},
		},
	},
	"containerd": {
		files: []broughtFile{{path: "/etc/containerd/config.toml", text: "version = 2\n", conf: true}},
		units: []broughtUnit{{name: "containerd.service", text: containerdUnit}},
	},
	"ufw": {
		files: []broughtFile{
			{path: "/etc/default/ufw", text: ufwDefaults, conf: true},
			{path: "/etc/ufw/ufw.conf", text: "ENABLED=no\nLOGLEVEL=low\n", conf: true},
			{path: "/etc/ufw/user.rules", text: ufwUserRules("ufw"), mode: 0o640, conf: true},
			{path: "/etc/ufw/user6.rules", text: ufwUserRules("ufw6"), mode: 0o640, conf: true},
			{path: "/etc/ufw/before.rules", text: ufwBefore, mode: 0o640, conf: true},
			{path: "/etc/ufw/before6.rules", text: ufwBefore6, mode: 0o640, conf: true},
			{path: "/etc/ufw/after.rules", text: "*filter\n:ufw-after-input - [0:0]\n:ufw-after-output - [0:0]\n:ufw-after-forward - [0:0]\nCOMMIT\n", mode: 0o640, conf: true},
			{path: "/etc/ufw/after6.rules", text: "*filter\n:ufw6-after-input - [0:0]\n:ufw6-after-output - [0:0]\n:ufw6-after-forward - [0:0]\nCOMMIT\n", mode: 0o640, conf: true},
		},
		programs: []string{"/usr/lib/ufw/ufw-init"},
		units: []broughtUnit{{name: "ufw.service", text: "[Unit]\nDescription=Uncomplicated firewall\nDefaultDependencies=no\nBefore=network-pre.target\n\n" +
			"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/lib/ufw/ufw-init start quiet\nExecStop=/usr/lib/ufw/ufw-init stop\n\n[Install]\nWantedBy=multi-user.target\n"}},
	},
	"fail2ban": {
		folders: []string{"/etc/fail2ban/action.d", "/etc/fail2ban/filter.d", "/var/lib/fail2ban"},
		files: []broughtFile{
			{path: "/etc/fail2ban/fail2ban.conf", text: "[DEFAULT]\nloglevel = INFO\nlogtarget = /var/log/fail2ban.log\n", conf: true},
			{path: "/etc/fail2ban/jail.conf", text: fail2banJails, conf: true},
			{path: "/etc/fail2ban/jail.d/defaults-debian.conf", text: "[sshd]\nenabled = true\n", conf: true},
			{path: "/etc/fail2ban/filter.d/sshd.conf", text: "[Definition]\njournalmatch = _SYSTEMD_UNIT=sshd.service + _COMM=sshd\n", conf: true},
			{path: "/etc/fail2ban/filter.d/recidive.conf", text: "[Definition]\n", conf: true},
			{path: "/etc/fail2ban/filter.d/nginx-http-auth.conf", text: "[Definition]\n", conf: true},
			{path: "/etc/fail2ban/action.d/iptables.conf", text: "[Definition]\n", conf: true},
			{path: "/etc/fail2ban/action.d/iptables-multiport.conf", text: "[Definition]\n", conf: true},
			{path: "/etc/fail2ban/action.d/iptables-allports.conf", text: "[Definition]\n", conf: true},
			{path: "/etc/fail2ban/action.d/nftables.conf", text: "[Definition]\n", conf: true},
			{path: "/etc/fail2ban/action.d/nftables-multiport.conf", text: "[Definition]\n", conf: true},
			{path: "/etc/fail2ban/action.d/ufw.conf", text: "[Definition]\n", conf: true},
		},
		units: []broughtUnit{{name: "fail2ban.service", text: "[Unit]\nDescription=Fail2Ban Service\nAfter=network.target\n\n[Service]\nType=simple\nExecStart=/usr/bin/fail2ban-server -xf start\n" +
			"ExecStop=/usr/bin/fail2ban-client stop\nExecReload=/usr/bin/fail2ban-client reload\nPIDFile=/run/fail2ban/fail2ban.pid\nRestart=on-failure\n\n[Install]\nWantedBy=multi-user.target\n"}},
	},
	"unattended-upgrades": {
		programs: []string{"/usr/share/unattended-upgrades/unattended-upgrade-shutdown"},
		files: []broughtFile{
			{path: "/etc/apt/apt.conf.d/50unattended-upgrades", text: upgradesDefaults, conf: true},
			{path: "/etc/apt/apt.conf.d/20auto-upgrades", text: "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n", conf: true},
		},
		units: []broughtUnit{{name: "unattended-upgrades.service", text: "[Unit]\nDescription=Unattended Upgrades Shutdown\nAfter=network.target\n\n[Service]\n" +
			"ExecStart=/usr/share/unattended-upgrades/unattended-upgrade-shutdown --wait-for-signal\nKillMode=process\nTimeoutStopSec=1800\n\n[Install]\nWantedBy=multi-user.target\n"}},
	},
	"nginx-common": {
		folders: []string{"/var/www/html", "/etc/nginx/conf.d", "/etc/nginx/sites-enabled"},
		files: []broughtFile{
			{path: "/etc/nginx/nginx.conf", text: "user www-data;\nworker_processes auto;\n\nevents {\n}\n\nhttp {\n\tinclude /etc/nginx/conf.d/*.conf;\n\tinclude /etc/nginx/sites-enabled/*;\n}\n", conf: true},
			{path: "/etc/nginx/sites-available/default", text: "server {\n\tlisten 80 default_server;\n\troot /var/www/html;\n}\n", conf: true},
		},
		units: []broughtUnit{{name: "nginx.service", text: daemonUnit("A high performance web server and a reverse proxy server", "forking", "/usr/sbin/nginx -g 'daemon on; master_process on;'", "multi-user.target")}},
	},
	"chrony": {
		users: []broughtUser{{"_chrony", "/var/lib/chrony"}},
		files: []broughtFile{{path: "/etc/chrony/chrony.conf", text: "pool 2.debian.pool.ntp.org iburst\n", conf: true}},
		units: []broughtUnit{{name: "chrony.service", text: daemonUnit("chrony, an NTP client/server", "forking", "/usr/sbin/chronyd $DAEMON_OPTS", "multi-user.target") + "Alias=chronyd.service\n"}},
	},
	"systemd-timesyncd": {
		users:    []broughtUser{{"systemd-timesync", "/"}},
		programs: []string{"/usr/lib/systemd/systemd-timesyncd"},
		files:    []broughtFile{{path: "/etc/systemd/timesyncd.conf", text: "[Time]\n", conf: true}},
		units:    []broughtUnit{{name: "systemd-timesyncd.service", text: daemonUnit("Network Time Synchronization", "notify", "/usr/lib/systemd/systemd-timesyncd", "sysinit.target")}},
	},
	"cron":            {units: []broughtUnit{{name: "cron.service", text: daemonUnit("Regular background program processing daemon", "simple", "/usr/sbin/cron -f", "multi-user.target")}}},
	"rsyslog":         {units: []broughtUnit{{name: "rsyslog.service", text: daemonUnit("System Logging Service", "notify", "/usr/sbin/rsyslogd -n -iNONE", "multi-user.target")}}},
	"haproxy":         {users: []broughtUser{{"haproxy", "/var/lib/haproxy"}}, units: []broughtUnit{{name: "haproxy.service", text: daemonUnit("HAProxy Load Balancer", "notify", "/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg", "multi-user.target")}}},
	"keepalived":      {units: []broughtUnit{{name: "keepalived.service", text: daemonUnit("Keepalive Daemon (LVS and VRRP)", "notify", "/usr/sbin/keepalived --dont-fork", "multi-user.target")}}},
	"redis-server":    {users: []broughtUser{{"redis", "/var/lib/redis"}}, units: []broughtUnit{{name: "redis-server.service", text: daemonUnit("Advanced key-value store", "notify", "/usr/bin/redis-server /etc/redis/redis.conf --supervised systemd --daemonize no", "multi-user.target")}}},
	"python3-minimal": {programs: []string{"/usr/bin/python3"}},
}

// daemonUnit is the unit of a service that only runs.
func daemonUnit(description, kind, exec, wantedBy string) string {
	return "[Unit]\nDescription=" + description + "\nAfter=network.target\n\n[Service]\nType=" + kind + "\nExecStart=" + exec + "\nRestart=on-failure\n\n[Install]\nWantedBy=" + wantedBy + "\n"
}

func dockerUnit(exec string) string {
	return "[Unit]\nDescription=Docker Application Container Engine\nAfter=network-online.target docker.socket containerd.service\nWants=network-online.target containerd.service\nRequires=docker.socket\n\n" +
		"[Service]\nType=notify\nEnvironmentFile=-/etc/default/docker\nExecStart=" + exec + "\nExecReload=/bin/kill -s HUP $MAINPID\nTimeoutStartSec=0\nRestartSec=2\nRestart=always\nStartLimitBurst=3\nStartLimitInterval=60s\nKillMode=process\n\n" +
		"[Install]\nWantedBy=multi-user.target\n"
}

const (
	dockerSocketUnit = "[Unit]\nDescription=Docker Socket for the API\n\n[Socket]\nListenStream=/run/docker.sock\nSocketMode=0660\nSocketUser=root\nSocketGroup=docker\n\n[Install]\nWantedBy=sockets.target\n"
	containerdUnit   = "[Unit]\nDescription=containerd container runtime\nAfter=network.target local-fs.target\n\n[Service]\nExecStart=/usr/bin/containerd\nType=notify\nDelegate=yes\nKillMode=process\nRestart=always\nRestartSec=5\n\n[Install]\nWantedBy=multi-user.target\n"

	ufwDefaults = "IPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_OUTPUT_POLICY=\"ACCEPT\"\nDEFAULT_FORWARD_POLICY=\"DROP\"\nDEFAULT_APPLICATION_POLICY=\"SKIP\"\nMANAGE_BUILTINS=no\nIPT_SYSCTL=/etc/ufw/sysctl.conf\nIPT_MODULES=\"\"\n"

	ufwBefore = "*filter\n:ufw-before-input - [0:0]\n:ufw-before-output - [0:0]\n:ufw-before-forward - [0:0]\n" +
		"-A ufw-before-input -i lo -j ACCEPT\n-A ufw-before-output -o lo -j ACCEPT\n" +
		"-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A ufw-before-output -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n" +
		"-A ufw-before-input -p icmp --icmp-type echo-request -j ACCEPT\nCOMMIT\n"
	ufwBefore6 = "*filter\n:ufw6-before-input - [0:0]\n:ufw6-before-output - [0:0]\n:ufw6-before-forward - [0:0]\n" +
		"-A ufw6-before-input -i lo -j ACCEPT\n-A ufw6-before-output -o lo -j ACCEPT\n" +
		"-A ufw6-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A ufw6-before-output -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n"

	fail2banJails = "[DEFAULT]\nignorecommand =\nbantime = 10m\nfindtime = 10m\nmaxretry = 5\nbackend = auto\nbanaction = iptables-multiport\n\n[sshd]\nport = ssh\nlogpath = /var/log/auth.log\n\n" +
		"[recidive]\nlogpath = /var/log/fail2ban.log\n\n[nginx-http-auth]\nport = http,https\nlogpath = /var/log/nginx/error.log\n"

	upgradesDefaults = "Unattended-Upgrade::Origins-Pattern {\n  \"origin=Debian,codename=${distro_codename},label=Debian\";\n  \"origin=Debian,codename=${distro_codename},label=Debian-Security\";\n" +
		"  \"origin=Debian,codename=${distro_codename}-security,label=Debian-Security\";\n};\nUnattended-Upgrade::Package-Blacklist {\n};\n"
)
