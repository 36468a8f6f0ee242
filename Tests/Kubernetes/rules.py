"""What must be true of the resources of one build, beyond their schemas. Each rule yields a line for each mistake."""

# Has all rights: it makes interfaces and containers.
PRIVILEGED = "engine"


def mistakes(resources, examples):
    for rule in (rights, probes, selectors, references, one_endpoint, reach):
        yield from rule(resources)
    for example in examples:
        for key, value in example.get("stringData", {}).items():
            if "REPLACE-BY-" not in value:
                yield f"the example of the Secret has something real in {key}"
        if example["kind"] != "Secret" or "data" in example:
            yield "an example is a Secret with stringData"
    if any(resource["kind"] == "Secret" for resource in resources):
        yield "a Secret is in the build: only its example may be in the repository"


def of_kind(resources, kind):
    return [resource for resource in resources if resource["kind"] == kind]


def pods(resources):
    for resource in of_kind(resources, "StatefulSet") + of_kind(resources, "Deployment"):
        yield resource["metadata"]["name"], resource["spec"]["template"]["spec"]


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


def rights(resources):
    """No rights but the engine's, as in containers/compose.yaml."""
    for name, pod in pods(resources):
        if not pod["securityContext"].get("runAsNonRoot") or pod["securityContext"].get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name}: its pods may run as root, or without seccomp"
        if pod.get("automountServiceAccountToken", True) or pod.get("hostNetwork") or pod.get("hostPID"):
            yield f"{name}: its pods have an account or a namespace of the node"
        if any("hostPath" in volume for volume in pod["volumes"]):
            yield f"{name}: its pods see the node's files"
        for container in containers(pod):
            context = container.get("securityContext", {})
            is_bare = context.get("readOnlyRootFilesystem") and context.get("allowPrivilegeEscalation") is False
            if container["name"] != PRIVILEGED and not (is_bare and context.get("capabilities") == {"drop": ["ALL"]}):
                yield f"{name}: {container['name']} has rights that it doesn't need"
            if "memory" not in container.get("resources", {}).get("limits", {}):
                yield f"{name}: {container['name']} has no limit of memory"


def probes(resources):
    """The controller's are the two paths that need no key."""
    for name, pod in pods(resources):
        controller = next(container for container in pod["containers"] if container["name"] == "controller")
        for probe, path in (("startupProbe", "/health/live"), ("livenessProbe", "/health/live"), ("readinessProbe", "/health/ready")):
            if controller.get(probe, {}).get("httpGet") != {"path": path, "port": "api"}:
                yield f"{name}: {probe} is not {path}"


def selectors(resources):
    """Whatever chooses pods chooses those that are made here."""
    labels = [resource["spec"]["template"]["metadata"]["labels"] for resource in of_kind(resources, "StatefulSet")]
    for resource in resources:
        spec = resource.get("spec", {})
        chosen = spec.get("podSelector", {}).get("matchLabels") or spec.get("selector")
        chosen = chosen.get("matchLabels", chosen) if chosen else None
        if chosen and not any(chosen.items() <= made.items() for made in labels):
            yield f"{resource['kind']} {resource['metadata']['name']} chooses no pod"


def references(resources):
    """Names that others must have: the scaled set, the account, the configuration."""
    made = {(resource["kind"], resource["metadata"]["name"]) for resource in resources}
    for scaler in of_kind(resources, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) not in made:
            yield f"the autoscaler has no {target['kind']} {target['name']}"
    for name, pod in pods(resources):
        wanted = {("ServiceAccount", pod["serviceAccountName"])}
        wanted |= {("ConfigMap", volume["configMap"]["name"]) for volume in pod["volumes"] if "configMap" in volume}
        for kind, missing in wanted - made:
            yield f"{name}: no {kind} {missing}"
        names = {volume["name"] for volume in pod["volumes"]} | {"state"}
        for container in containers(pod):
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in names:
                    yield f"{name}: {container['name']} mounts {mount['name']}, which is no volume"


def one_endpoint(resources):
    """The proxies' Service has no selector, a slice of its own, and an account that may change that slice and nothing else."""
    service = next(one for one in of_kind(resources, "Service") if one["metadata"]["name"] == "sallyport-proxy")
    (slice,) = of_kind(resources, "EndpointSlice")
    if "selector" in service["spec"]:
        yield "the Service of the proxies has a selector, and so an endpoint in each pod"
    if slice["metadata"]["labels"].get("kubernetes.io/service-name") != "sallyport-proxy":
        yield "the slice is not of the proxies' Service"
    if [(port["name"], port["port"]) for port in slice["ports"]] != [(port["name"], port["port"]) for port in service["spec"]["ports"]]:
        yield "the slice has other ports than the Service"
    rules = [rule for role in of_kind(resources, "Role") for rule in role["rules"]]
    wanted = {
        "apiGroups": ["discovery.k8s.io"],
        "resources": ["endpointslices"],
        "resourceNames": [slice["metadata"]["name"]],
        "verbs": ["patch"],
    }
    if rules != [wanted] or of_kind(resources, "ClusterRole"):
        yield "the account may do more or less than patch that slice"


def reach(resources):
    """Both directions are closed but for what is listed."""
    policies = of_kind(resources, "NetworkPolicy")
    if {kind for policy in policies for kind in policy["spec"]["policyTypes"]} != {"Ingress", "Egress"}:
        yield "network policies leave a direction open"
    for policy in policies:
        for rule in policy["spec"].get("ingress", []) + policy["spec"].get("egress", []):
            if not rule.get("ports"):
                yield f"{policy['metadata']['name']}: a rule opens all ports"
