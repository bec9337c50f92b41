#!/bin/sh
# The first process of the node's own namespaces (processes, mounts, network): what it and all that runs in them do to
# the machine ends with it. The argument is a file that is made when they are ready to be entered.
set -e
ready=$1
mount --make-rshared /
# What a node writes to fixed places lands in memory, and not in the machine's own folders.
for directory in /run /var/lib /var/log; do
    mount -t tmpfs tmpfs "$directory"
done
# The kubelet sets these for the whole machine: here it gets files that merely look like them.
for setting in kernel/keys/root_maxbytes kernel/keys/root_maxkeys kernel/panic kernel/panic_on_oops \
    vm/overcommit_memory vm/panic_on_oom; do
    copy=/run/$(basename "$setting")
    cat "/proc/sys/$setting" > "$copy"
    mount --bind "$copy" "/proc/sys/$setting"
done
ip link set lo up
touch "$ready"
# As the first process it inherits, and here takes leave of, all whose parents are gone.
while :; do
    sleep 3600 &
    wait
done
