#!/bin/sh
# Runs inside the image while it is built: installs what is missing, then removes what no program needs, above all what
# was made to change privileges. flatten.py refuses the image if any of that is left.
set -eu
export DEBIAN_FRONTEND=noninteractive
packages=$(sed 's/#.*//' /build/packages.txt)
# shellcheck disable=SC2086  # a list of words
if ! dpkg -s $packages > /dev/null 2>&1; then
  apt-get update
  apt-get install -y --no-install-recommends $packages
fi

# Packages that install packages, log people in, mount, or check disks. dpkg goes last, its list of what is here stays:
# scanners read it.
dpkg --purge --force-depends --force-remove-essential --force-remove-protected \
  apt libapt-pkg6.0 gpgv debian-archive-keyring adduser debconf mawk \
  login passwd libpam-modules libpam-modules-bin libpam-runtime libsemanage2 libsemanage-common \
  mount util-linux-extra e2fsprogs logsave libext2fs2 libss2 init-system-helpers usr-is-merged
dpkg --purge --force-all dpkg || true
rm -f /usr/bin/su /usr/sbin/runuser
find /var/lib/dpkg -mindepth 1 -maxdepth 1 ! -name status -exec rm -rf {} +

ln -s python3 /usr/bin/python
# It looks in every folder for a module that reports crashes, at each start of Python, and there is none here.
rm /usr/lib/python3.11/sitecustomize.py /etc/python3.11/sitecustomize.py
# Compiled modules that are used without a look at their source: quicker, and not undone by the fixed times.
find /usr/lib/python3 /usr/lib/python3.11 -name __pycache__ -prune -exec rm -rf {} +
python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3 /usr/lib/python3.11

find /usr/share/doc -type f ! -name copyright -delete
find /usr/share/doc -type d -empty -delete
rm -rf /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian /usr/share/bash-completion /usr/share/bug \
  /usr/share/pixmaps /usr/share/debconf /usr/share/apport /etc/apt /etc/cron.daily /etc/cron.d /etc/init.d /etc/rc*.d \
  /etc/systemd /etc/logrotate.d /etc/pam.d /etc/security /etc/skel /etc/shadow* /etc/gshadow* /etc/subuid* /etc/subgid* \
  /etc/passwd- /etc/group- /etc/machine-id /var/lib/systemd /var/lib/apt /var/lib/pam /var/cache /var/log /var/backups \
  /var/mail /var/spool /var/local /var/tmp /media /srv /boot /run /root /home /tmp /build
mkdir -p /var/cache /var/log /run /root /home /mnt

# The only places that programs write to: in a cell each is a file system of its own, of limited size.
mkdir -p /tmp /workspace /.hotcell
chmod 1777 /tmp
ln -s /tmp /var/tmp
: > /.hotcell/agent
echo 'cell:x:10001:10001::/tmp:/bin/bash' >> /etc/passwd
echo 'cell:x:10001:' >> /etc/group
chown 10001:10001 /workspace

find / -xdev \( -type f -o -type d \) -perm /6000 -exec chmod ug-s {} +
