# Looks for the agent by its name and its arguments: there is nothing of the host in them.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
for name in ("cmdline", "comm", "status", "stat", "cgroup", "mountinfo"):
    try:
        text = open("/proc/1/" + name, "rb").read()
    except OSError:
        continue
    for secret in (b"docker.sock", b"DOCKER_HOST", b"/root/", b"/work/", b"password", b"token"):
        if name != "mountinfo" and secret in text:
            print("OPEN:", secret, "in /proc/1/" + name)
print("held")
