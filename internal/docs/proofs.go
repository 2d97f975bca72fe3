package docs

import (
	"slices"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
)

// Proof is a test that shows that a kind does what its table says.
type Proof struct {
	What   string // what it shows: one of Needed, or more
	Test   string // the test's function
	File   string // where it is, from the project's root
	Engine string // what it runs on
}

func (p Proof) link() string { return "[`" + p.Test + "`](" + p.File + ")" }

// What every kind has to have proved, to be in the table.
const (
	roundTrip   = "round trip"  // apply; then the plan is empty
	drift       = "drift"       // changed with the docker CLI; the plan shows it, apply repairs it
	replacement = "replacement" // what cannot change in place is replaced, or gets a new version
)

// Needed are the proofs that no kind goes without.
var Needed = []string{roundTrip, drift, replacement}

// neededOf are the proofs that a kind cannot go without: a check has nothing
// live that could drift or be replaced.
func neededOf(k *resource.Kind) []string {
	if k.Verify != nil {
		return []string{roundTrip}
	}
	replaced := k.Versioned || slices.ContainsFunc(k.Schema.Fields(), func(f *schema.Field) bool { return f.Replace }) || k.Scope == "swarm" || k.Scope == "engine"
	if !replaced {
		return []string{roundTrip, drift}
	}
	return Needed
}

const (
	engines     = "real engines: 28.5.2 and 20.10"
	newest      = "a real engine: 28.5.2"
	hosts       = "real machines: Debian 12 and 13"
	bookworm    = "a real machine: Debian 12"
	noEngine    = "no engine"
	emulated    = "the emulator of Azure"
	labInAzure  = "the emulator of Azure, with machines of a lab"
	realInAzure = "the emulator of Azure, with real machines: Debian 12"
	labHosts    = "the lab"
)

// Proofs are the proofs of each kind. A test checks that the functions are in
// these files.
var Proofs = map[string][]Proof{
	"swarm": {
		{roundTrip, "TestRealSwarm", swarmTest, engines},
		{drift, "TestRealSwarm", swarmTest, engines},
		{replacement, "TestRealSwarm", swarmTest, engines},
		{"a swarm that is there is adopted", "TestRealSwarmAdopted", swarmTest, engines},
		{"tokens are rotated when that is asked for, and else never", "TestRealSwarmTokens", swarmTest, engines},
		{"signers of certificates", "TestRealSwarmExternalCA", swarmTest, engines},
	},
	"network": {
		{roundTrip, "TestRealNetwork", networkTest, engines},
		{drift, "TestRealNetwork", networkTest, engines},
		{replacement, "TestRealNetwork", networkTest, engines},
		{"the routing mesh", "TestRealIngress", networkTest, engines},
		{"networks of one engine", "TestRealLocalNetwork", networkTest, engines},
		{"`config_from`", "TestRealConfigFrom", networkTest, engines},
		{"a network in use", "TestRealNetworkBusy", networkTest, engines},
	},
	"volume": {
		{roundTrip, "TestRealVolume", volumeTest, engines},
		{drift, "TestStoryVolume", volumeStory, engines},
		{replacement, "TestStoryVolume", volumeStory, engines},
		{"a volume in use", "TestRealVolumeBusy", volumeTest, engines},
		{"nobody's volume is taken over", "TestStoryVolumeRace", volumeStory, engines},
		{"adoption and moves, although labels cannot change", "TestStoryVolumeMarks", volumeStory, engines},
		{"volumes of a swarm, as far as SwarmKit goes without a CSI plugin", "TestRealClusterVolume", volumeTest, newest},
		{"mounted by a service", "TestStoryVolumeMounted", volumeStory, engines},
	},
	"image": {
		{roundTrip, "TestRealImage", "internal/run/image_real_test.go", engines},
		{drift, "TestRealImage", "internal/run/image_real_test.go", engines},
		{replacement, "TestRealImage", "internal/run/image_real_test.go", engines},
		{"a registry is asked only where that is wanted", "TestRealImageCalls", "internal/run/image_real_test.go", newest},
	},
	"build": {
		{roundTrip, "TestRealBuild", "internal/run/build_real_test.go", engines},
		{drift, "TestRealBuild", "internal/run/build_real_test.go", engines},
		{replacement, "TestRealBuild", "internal/run/build_real_test.go", engines},
		{"both builders: stages, arguments, `.dockerignore`, links, a `RUN` that fails", "TestRealBuild", "internal/build/real_test.go", engines},
		{"secrets and agents, and that secrets are in no layer and no output", "TestRealBuildKit", "internal/build/real_test.go", engines},
		{"over SSH, more at once than it carries", "TestRealBuildSSH", "internal/run/build_real_test.go", newest},
		{"as compose files say it: pushed, one image of several services, secrets", "TestRealStackBuild", "internal/run/stack_build_real_test.go", engines},
		{"a build that is cancelled", "TestRealCancel", "internal/build/real_test.go", engines},
		{"pushed to the swarm's own registry, and a service of it rolls with its content", "TestRegistry", "examples/applications_test.go", "a real engine, 28.5.2"},
	},
	"image_copy": {
		{roundTrip, "TestRealImageCopy", copyTest, engines},
		{drift, "TestRealImageCopy", copyTest, engines},
		{replacement, "TestRealImageCopy", copyTest, engines},
		{"between engines of both releases, in each direction: nothing is sent that is there, layers of other images neither, a connection that breaks", "TestRealImageCopy", copyTest, engines},
		{"full disks, and images for other platforms", "TestRealImageCopyRefused", copyTest, engines},
		{"a service on two nodes rolls with what it is built from, a node that is down keeps it from nothing", "TestRealImageCopyService", copyTest, engines},
		{"over SSH, more at once than are copied at once", "TestRealImageCopySSH", copyTest, engines},
	},
	"plugin": {
		{roundTrip, "TestRealPlugin", "internal/run/plugin_real_test.go", engines},
		{drift, "TestRealPlugin", "internal/run/plugin_real_test.go", engines},
		{replacement, "TestRealPlugin", "internal/run/plugin_real_test.go", engines},
	},
	"secret": {
		{roundTrip, "TestRealSecret", contentTest, engines},
		{drift, "TestRealSecret", contentTest, engines},
		{replacement, "TestRealSecret", contentTest, engines},
		{"never shown", "TestSecretNeverShown", contentTest, noEngine},
	},
	"config": {
		{roundTrip, "TestRealConfig", contentTest, engines},
		{drift, "TestRealConfig", contentTest, engines},
		{replacement, "TestRealConfig", contentTest, engines},
	},
	"node": {
		{roundTrip, "TestRealNode", nodeTest, engines},
		{drift, "TestRealNode", nodeTest, engines},
		{replacement, "TestStoryRejoined", nodeStory, newest},
		{"labels, drains and releases, on three nodes", "TestStoryNodes", nodeStory, newest},
		{"roles, and the quorum, on four nodes", "TestStoryManagers", nodeStory, newest},
		{"a swarm grows from nothing, is mended, shrinks and goes", "TestStoryMembers", memberStory, engines},
		{"they rest while their machines are off", "TestExampleSwarm", swarmStory, labHosts},
		{"they rest while their machines' disks change, go on after an apply that ended, and rest for good", "TestDisksOfManagers", outageStory, labHosts},
		{"a machine that has died is taken out of the script", "TestStoryMemberDead", memberStory, engines},
		{"from one manager to five and back, one made anew", "TestRealManagers", leaveTest, engines},
		{"answers that are lost meanwhile", "TestRealMemberAnswerLost", memberTest, "a real engine: 20.10"},
		{"machines of both releases join, drift, join again", "TestRealJoin", memberTest, engines},
		{"what an engine cannot join from", "TestRealJoinRefused", memberTest, engines},
		{"a token that is rotated meanwhile", "TestRealJoinTokenRotated", memberTest, newest},
		{"closed ports, and in which direction", "TestRealJoinPorts", "internal/swarm/member_ports_real_test.go", engines},
		{"members leave when their tasks run elsewhere", "TestRealLeave", leaveTest, engines},
		{"machines that are gone are forgotten", "TestRealLeaveDead", leaveTest, engines},
		{"the leader leaves", "TestRealLeaveLeader", leaveTest, engines},
		{"all leave with the swarm", "TestRealLeaveEnds", leaveTest, engines},
		{"whoever comes and goes, each step keeps the quorum", "TestSequenceKeepsTheQuorum", "internal/swarm/node_sequence_test.go", noEngine},
		{"every order of demotions keeps the quorum", "TestDemotionsKeepTheQuorum", "internal/swarm/node_test.go", noEngine},
	},
	"service": {
		{roundTrip, "TestServiceFields", "internal/swarm/service_real_test.go", engines},
		{drift, "TestServiceFields", "internal/swarm/service_real_test.go", engines},
		{replacement, "TestServiceFields", "internal/swarm/service_real_test.go", engines},
		{"convergence, and why there is none", "TestServiceSettles", "internal/swarm/service_settle_real_test.go", engines},
		{"logins in the script, of `docker login` and of helpers; another password reaches the nodes", "TestRegistryLogin", loginTest, engines},
		{"identity tokens", "TestRegistryIdentityToken", "internal/run/registry_token_test.go", engines},
		{"tokens that expire", "TestRegistryTokenExpires", loginTest, newest},
		{"`resolve_image`: a tag that moved, one that is gone, a registry that is down", "TestResolveImage", loginTest, engines},
		{"a registry of an unknown authority", "TestRegistryUnknownAuthority", loginTest, newest},
		{"images for other platforms than the nodes'", "TestImagePlatforms", loginTest, newest},
	},
	"container": {
		{roundTrip, "TestContainerFields", containerTest, engines},
		{drift, "TestContainerDrift", containerLiveTest, engines},
		{replacement, "TestStoryContainerReplaced", containerStory, engines},
		{"changes in place", "TestContainerInPlace", containerLiveTest, engines},
		{"convergence, and why there is none", "TestContainerSettles", containerLiveTest, engines},
		{"secrets in its environment", "TestStoryContainerSecrets", containerStory, engines},
		{"what no engine here can do", "TestContainerConversion", "internal/engine/container_test.go", noEngine},
	},
	"check_http": {
		{roundTrip, "TestStoryChecks", checkStory, engines},
		{"every argument", "TestHTTP", "internal/check/check_test.go", noEngine},
		{"certificates", "TestHTTPS", "internal/check/check_test.go", noEngine},
	},
	"check_tcp": {
		{roundTrip, "TestStoryChecks", checkStory, engines},
		{"every argument", "TestTCP", "internal/check/check_test.go", noEngine},
	},
	"vm": {
		{roundTrip, "TestVM", "internal/local/vm_test.go", hosts},
		{drift, "TestVMDrift", "internal/local/vm_test.go", hosts},
		{replacement, "TestVM", "internal/local/vm_test.go", hosts},
		{"hosts of a lab: round trip, drift, replacement", "TestLabVM", "internal/lab/serve/vm_test.go", labHosts},
		{"a lab goes on where it was, however its process ended", "TestLife", "internal/lab/serve/life_test.go", labHosts},
		{"killed at any moment, nothing is left", "TestCrash", "internal/local/crash_test.go", bookworm},
		{"in azure(): round trip of every argument, replacement", "TestEveryArgument", azureStory, emulated},
		{"in azure(): drift", "TestDrift", azureStory, emulated},
		{"in azure(): guarded in whatever network it is", "TestGuardedMachines", "internal/azure/guard_story_test.go", emulated},
		{"in azure(): what is refused is said before the first write", "TestRefusedBeforeTheFirstWrite", azureStory, emulated},
		{"in azure(): rights that are missing are said before the first write", "TestMissingRights", azureRefused, emulated},
		{"in azure(): an image that is sold under terms", "TestImageThatIsSold", azureRefused, emulated},
		{"in azure(): each request is one that the SDK's own fake servers take", "TestWire", "internal/azure/wire_story_test.go", emulated},
		{"in azure(): ended in the middle, gone on with, nothing left", "TestResumed", azureStory, emulated},
		{"in azure(): another size behind a drain, cut short and gone on with; made anew one after another", "TestExampleSwarm", swarmStory, emulated},
		{"in azure(): a manager is switched off, and back", "TestManagerIsSwitchedOff", outageStory, labInAzure},
		{"in azure(): an Azure that is busy is asked again, and nothing is made twice", "TestBusyAzure", azureStory, emulated},
		{"in azure(): two hundred, where each tenth request is too many: in time, by few requests, each made once", "TestHundredsOfMachines", "internal/azure/hundreds_test.go", emulated},
		{"in azure(): what is being made when an apply ends is waited for by the next", "TestMachineIsTakenUp", "internal/azure/machines/story_test.go", labInAzure},
		{"in azure(): one that could not be set up goes again, or is made anew where the apply was killed", "TestMachineThatIsNotProvisionedWhileNobodyLooks", "internal/azure/failed_story_test.go", emulated},
		{"in azure(): killed at random moments, run again: each is made once, and nothing is left over", "TestAzureSoak", "internal/run/azure_soak_test.go", labInAzure},
	},
	"resource_group": append(azureProofs(),
		Proof{"one that nobody marks is used and kept, and one with others' things in it stays", "TestOthersThings", azureStory, emulated}),
	"virtual_network":        azureProofs(),
	"network_security_group": azureProofs(),
	"availability_set": {
		{roundTrip, "TestAvailabilitySet", azureParts, emulated}, {drift, "TestAvailabilitySet", azureParts, emulated}, {replacement, "TestAvailabilitySet", azureParts, emulated},
	},
	"disk": {
		{roundTrip, "TestDisk", azureDisks, emulated}, {drift, "TestDisk", azureDisks, emulated}, {replacement, "TestDisk", azureDisks, emulated},
		{"changes of one machine's disks, and its own, switch it off one after another", "TestOneMachineOffAtATime", azureDisks, emulated},
		{"disks of a swarm's managers, one after another behind drains", "TestDisksOfManagers", outageStory, labInAzure},
		{"attached and detached in place, moved to another machine, outliving its own", "TestDataDisks", azureDisks, emulated},
	},
	"vm_extension": {
		{roundTrip, "TestExtension", azureExtensions, emulated}, {drift, "TestExtension", azureExtensions, emulated}, {replacement, "TestExtension", azureExtensions, emulated},
		{"one that fails is a failed step with what it says, and is tried again", "TestExtensionThatFails", azureExtensions, emulated},
		{"protected settings are compared and never told", "TestProtectedSettings", azureExtensions, emulated},
		{"CustomScript runs on the machine", "TestCustomScript", "internal/azure/machines/extension_story_test.go", "the emulator of Azure, its machines in the lab"},
	},
	"public_ip": append(azureProofs(), Proof{replacement, "TestEveryArgument", azureStory, emulated},
		Proof{"a name in DNS that somebody else has is said before the first write", "TestLabelThatIsTaken", azureRefused, emulated}),
	"load_balancer": {
		{roundTrip, "TestBalancer", balancerStory, emulated},
		{drift, "TestBalancerDrift", balancerStory, emulated},
		{replacement, "TestBalancerMembers", balancerStory, emulated},
		{"machines join, are made anew in its pool and leave it before they go", "TestBalancerMembers", balancerStory, emulated},
		{"follows a swarm whose workers come and go", "TestExampleSwarm", swarmStory, emulated},
		{"a swarm is asked through it, whose workers come, go, are made anew and lose their power", "TestAzureSwarmOfRealMachines", "examples/azure_test.go", realInAzure},
		{"what comes to it goes to machines whose probes go well, and that their security group opens", "TestTrafficToRealMachines", "internal/azure/machines/traffic_test.go", realInAzure},
		{"follows what services publish", "TestBalancerFollows", balancerStory, noEngine},
		{"ended in the middle, gone on with", "TestBalancerResumed", balancerStory, emulated},
	},
	"network_interface": append(azureProofs(), Proof{replacement, "TestEveryArgument", azureStory, emulated}),
	"file":              hostProofs("file", "TestFile", bookworm),
	"directory":         hostProofs("file", "TestDirectory", bookworm),
	"package":           hostProofs("package", "TestPackage", hosts),
	"command":           hostProofs("command", "TestCommand", bookworm),
	"systemd_unit":      hostProofs("unit", "TestUnit", hosts),
	"sysctl":            hostProofs("sysctl", "TestSysctl", bookworm),
	"user":              hostProofs("user", "TestUser", hosts),
	"firewall": append(hostProofs("firewall", "TestFirewall", bookworm),
		Proof{"rules that cut us off are refused", "TestFirewallAdmits", "internal/host/pure_test.go", noEngine},
		Proof{"members of a swarm join, leave and are made anew behind firewalls", "TestFirewalls", "internal/run/firewall_real_test.go", hosts},
		Proof{"what lets them in", "TestOpenings", "builtins/openings_test.go", noEngine}),
	"fail2ban":            hostProofs("hardening", "TestFail2ban", bookworm),
	"unattended_upgrades": hostProofs("hardening", "TestUnattendedUpgrades", "a real machine: Debian 13"),
	"docker": {
		{roundTrip, "TestDocker", dockerTest, hosts},
		{drift, "TestDocker", dockerTest, hosts},
		{"versions, channels, sources", "TestDockerVersions", dockerTest, bookworm},
		{"settings, registries and accounts", "TestDockerSettings", dockerTest, "a real machine: Debian 13"},
		{"certificates", "TestDockerTLS", "internal/host/docker_tls_real_test.go", bookworm},
		{"Debian's own packages: 20.10 and 26.1", "TestDockerOfDistribution", dockerTest, hosts},
		{"an engine that was there before", "TestDockerOfOthers", dockerTest, bookworm},
		{"what goes wrong, and is rolled back", "TestDockerErrors", dockerTest, bookworm},
		{"the power fails in the middle", "TestDockerPowerCut", dockerTest, "a real machine: Debian 13"},
		{"from a bare machine to a swarm, and back", "TestStoryDocker", "internal/run/story_docker_test.go", bookworm},
	},
	"check_exec": {
		{roundTrip, "TestStoryChecks", checkStory, engines},
		{"every argument", "TestExec", checkStory, engines},
		{"in a container of an engine", "TestExecContainer", checkStory, engines},
	},
}

// ModuleProofs are the proofs of each module of the standard library. The tests
// beside a module are run by TestModules, and reach every line of it.
var ModuleProofs = map[string][]Proof{
	"@stdlib//args.star": {
		{"every check", "TestModules", moduleTest, noEngine},
	},
	"@stdlib//host.star": {
		{"two bare servers are hardened, pruned, and given back", "TestTwoServers", "examples/two_servers_test.go", hosts},
		{"arguments", "TestModules", moduleTest, noEngine},
	},
	"@stdlib//images.star": {
		{"each has a tag", "TestModules", moduleTest, noEngine},
	},
	"@stdlib//mariadb.star": {
		{"a killed node comes back, all of them do, an update takes one at a time", "TestRealGalera", "stdlib/mariadb_real_test.go", "three real engines, 28.5.2, with Debian's MariaDB 10.11 and HAProxy"},
		{"applied unmodified, and a machine is lost", "TestModules", moduleTest, labHosts},
	},
	"@stdlib//monitoring.star": {
		{"Prometheus finds the exporter, takes the alerts, sees the machine", "TestRealMonitoring", "stdlib/monitoring_real_test.go", "a real engine, 28.5.2, with Debian's Prometheus and exporter"},
		{"Grafana, cAdvisor, applied unmodified", "TestModules", moduleTest, labHosts},
	},
	"@stdlib//registry.star": {
		{"TLS, passwords, a push, garbage collected", "TestRealRegistry", "stdlib/registry_real_test.go", "a real engine, 28.5.2, with Debian's docker-registry"},
		{"applied unmodified", "TestModules", moduleTest, labHosts},
	},
	"@stdlib//swarm.star": {
		{"two bare servers become a swarm", "TestTwoServers", "examples/two_servers_test.go", hosts},
		{"arguments", "TestModules", moduleTest, noEngine},
	},
	"@stdlib//traefik.star": {
		{"applied unmodified", "TestModules", moduleTest, labHosts},
	},
	"@stdlib//update.star": {
		{"arguments", "TestModules", moduleTest, noEngine},
	},
}

const (
	moduleTest = "stdlib/stdlib_test.go"

	containerTest     = "internal/engine/container_real_test.go"
	containerLiveTest = "internal/engine/container_live_test.go"
	containerStory    = "internal/run/story_container_test.go"

	dockerTest = "internal/host/docker_real_test.go"

	swarmTest   = "internal/swarm/swarm_real_test.go"
	networkTest = "internal/swarm/network_real_test.go"
	checkStory  = "internal/run/story_check_test.go"
	volumeTest  = "internal/swarm/volume_real_test.go"
	volumeStory = "internal/run/story_volume_test.go"
	nodeTest    = "internal/swarm/node_real_test.go"
	memberTest  = "internal/swarm/member_real_test.go"
	memberStory = "internal/run/story_members_test.go"
	leaveTest   = "internal/swarm/member_leave_real_test.go"
	nodeStory   = "internal/run/story_nodes_test.go"
	loginTest   = "internal/run/registry_login_real_test.go"
	copyTest    = "internal/run/copy_real_test.go"
	contentTest = "internal/swarm/content_real_test.go"
)

const (
	azureStory      = "internal/azure/story_test.go"
	azureParts      = "internal/azure/parts_story_test.go"
	azureDisks      = "internal/azure/disk_story_test.go"
	balancerStory   = "internal/azure/balancer_test.go"
	outageStory     = "internal/azure/machines/outage_test.go"
	swarmStory      = "internal/azure/machines/swarm_test.go"
	azureExtensions = "internal/azure/extension_story_test.go"
	azureRefused    = "internal/azure/refused_story_test.go" // of what cannot be
)

// azureProofs are those of a kind in Azure that is changed in place.
func azureProofs() []Proof {
	return []Proof{{roundTrip, "TestEveryArgument", azureStory, emulated}, {drift, "TestDriftOfEachKind", azureStory, emulated}}
}

// hostProofs are those of a kind whose one test does it all: made, changed,
// drifted by hand, repaired, removed.
func hostProofs(file, test, on string) []Proof {
	path := "internal/host/" + file + "_real_test.go"
	return []Proof{{roundTrip, test, path, on}, {drift, test, path, on}, {replacement, test, path, on}}
}

func find(kind, what string) (Proof, bool) {
	for _, p := range Proofs[kind] {
		if p.What == what {
			return p, true
		}
	}
	return Proof{}, false
}
