"""Words for `core.remote`."""

_DAMAGED = (
    "The file of known host keys {file} cannot be read (line {line}).",
    "Repair or remove that line. Without it RKDeck asks again whether the board is the right one.",
)

MESSAGES: dict[str, tuple[str, str]] = {
    "remote.bad_host": (
        "{host} is not a host name or address.",
        "Write for example orangepi5.local, 192.168.1.50 or pi@192.168.1.50:2222.",
    ),
    "remote.bad_user": ("{user} is not a user name.", "Write USER@HOST, for example orangepi@192.168.1.50."),
    "remote.bad_port": ("{port} is not a TCP port.", "Use a number from 1 to 65535; SSH's own is 22."),
    "remote.unsafe_argument": (
        "The text {argument} cannot be passed to a board ({why}).",
        "Rename the file or folder; no shell can carry such a name.",
    ),
    "remote.unknown_host": (
        "No computer called {host} was found ({reason}).",
        "Check the spelling, or use the board's IP address (your router lists it; many images have "
        "no .local name).",
    ),
    "remote.refused": (
        "{host} is there, but nothing answers on port {port}.",
        "Switch on SSH on the board, or give the right port as HOST:PORT. A board that just booted "
        "needs a moment. After several wrong passwords some boards shut a computer out for ten minutes (fail2ban).",
    ),
    "remote.timeout": (
        "{host} did not answer on port {port} within {seconds} s.",
        "Check that the board is on and on the same network, and that no firewall drops the connection.",
    ),
    "remote.no_route": (
        "There is no way to {host} from this network (port {port}).",
        "Check the address, the cable or the Wi-Fi, and a VPN that may catch this address.",
    ),
    "remote.no_connection": ("{host} port {port} cannot be reached: {reason}.", "Check address and network."),
    "remote.not_ssh": (
        "What answers at {host} port {port} is not an SSH server ({reason}).",
        "Give the port of the SSH server as HOST:PORT; usually it is 22.",
    ),
    "remote.no_common_algorithm": (
        "{host} (port {port}) and RKDeck have no common encryption: {reason}.",
        "Its SSH server is very old (only SHA-1 or DSA). Update the board's image or its SSH server.",
    ),
    "remote.closed": (
        "The connection to {host} (port {port}) broke: {reason}.",
        "Check the network and that the board is still running, then try again; a transfer goes on "
        "where it stopped.",
    ),
    "remote.host_key_unknown": (
        "{host} (port {port}) is new: its {key_type} key has the fingerprint {fingerprint}.",
        "Compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the board, "
        "then add --accept-host-key {fingerprint}",
    ),
    "remote.host_key_changed": (
        "{host} (port {port}) shows another key than before: {fingerprint} ({key_type}) instead of "
        "{known_fingerprint}. RKDeck sent nothing: it may be another computer that pretends to be "
        "your board.",
        "If you reinstalled the board, compare the new fingerprint with the board's own and run "
        "`rkdeck board probe NAME --accept-host-key {fingerprint}`: RKDeck then checks that the hardware is the same. "
        "The old key is in {file}.",
    ),
    # Advice of the one above, for a host on the way.
    "remote.jump_key_changed": (
        "{host} (port {port}), on the way to {jump_to}, shows another key than before: {fingerprint}.",
        "{host} is a jump host on the way to {jump_to}, so there is no hardware that RKDeck could recognise: only you "
        "can tell. If it was set up anew, ask who runs it for the new fingerprint (`ssh-keygen -lf "
        "/etc/ssh/ssh_host_ed25519_key.pub` there), compare, and run `rkdeck board probe NAME` (for a new board "
        "`board add`) with `--accept-host-key {fingerprint}`. The old key is in {file}.",
    ),
    "remote.not_on_the_way": (
        "{host} (port {port}) is not on the way to {board}, so its key was left as it is.",
        "The way may have changed meanwhile (ProxyJump in ~/.ssh/config): try to reach the board again.",
    ),
    "remote.host_key_revoked": (
        "The key of {host} (port {port}), {fingerprint}, is marked as revoked.",
        "Do not use this server until its owner has given it a new key.",
    ),
    "remote.known_hosts_damaged": _DAMAGED,
    "remote.identity_missing": (
        "The key file {file} does not exist.",
        "Give the private key with --identity.",
    ),
    "remote.identity_unusable": (
        "The key file {file} cannot be used: {reason}.",
        "Use an ed25519, ECDSA or RSA private key, for example one made with `ssh-keygen -t ed25519`.",
    ),
    "remote.passphrase_needed": (
        "The key file {file} is protected by a passphrase.",
        "Load it into your agent with `ssh-add {file}`, or give the passphrase with --password-stdin.",
    ),
    "remote.passphrase_wrong": (
        "The passphrase does not open the key file {file}.",
        "Try again, or load the key into your agent with `ssh-add {file}`.",
    ),
    "remote.hung": (
        "{host} accepts connections on port {port}, but its SSH server said nothing for {seconds} s.",
        "The board may be starting, out of memory or stuck on its disk. Wait a minute; then switch it off and on.",
    ),
    "remote.closed_at_once": (
        "{host} hung up on port {port} before a word was said.",
        "Its SSH server may have too many open connections, or may have shut this computer out (fail2ban, hosts.deny). "
        "Wait some minutes, then try again.",
    ),
    "remote.locked_out": (
        "{host} (port {port}) does not let {user} in for now: {reason}",
        "The account or this computer is shut out, often after too many wrong passwords. Wait some minutes, or unlock "
        "it at the board itself (`faillock`, `passwd -u {user}`).",
    ),
    "remote.too_many_attempts": (
        "{host} (port {port}) hung up after too many tries to log in as {user}: {tried}.",
        "Name the right key with --identity so that only that one is tried, or wait a few minutes and give the "
        "right password.",
    ),
    "remote.no_credentials": (
        "There is nothing to log in with to {host} (port {port}) as {user}. The server takes: {allowed}.",
        "Give the password with --password-stdin, or make a key (`ssh-keygen -t ed25519`) and copy it with "
        "`ssh-copy-id {user}@{host}`.",
    ),
    "remote.password_refused": (
        "{host} (port {port}) did not accept this password for {user}. Tried: {tried}.",
        "Check user name and password: every image has its own first account, for example orangepi, radxa, ubuntu "
        "or root. Some images take no password for root at all.",
    ),
    "remote.password_not_taken": (
        "{host} (port {port}) takes no passwords from {user}, only: {allowed}. The password was not sent.",
        "Log in with a key: name it with --identity, or load it into your agent with `ssh-add`.",
    ),
    "remote.key_refused": (
        "{host} (port {port}) does not know the key of {user}. Tried: {tried}. The server takes: {allowed}.",
        "Copy your key to the board with `ssh-copy-id {user}@{host}`, name another one with --identity, or give the "
        "password with --password-stdin.",
    ),
    "remote.auth_failed": (
        "{host} (port {port}) wants more proofs than RKDeck has for {user}. Tried: {tried}. Still wanted: {allowed}.",
        "Give key and password together; one-time codes are not supported.",
    ),
    "remote.jump_forbidden": (
        "{jump}, on the way to {host} (port {port}), forbids going on from there.",
        "Its SSH server needs `AllowTcpForwarding yes`; or use another ProxyJump in ~/.ssh/config.",
    ),
    "remote.jump_no_way": (
        "{jump}, on the way, could not reach {host} (port {port}): {reason}.",
        "Check that the board is on and that its address is right as seen from {jump}.",
    ),
    "remote.jump_loop": (
        "The way to {host} in ~/.ssh/config leads over more than {limit} hosts.",
        "Look for ProxyJump entries that lead in a circle; `ProxyJump none` ends a way.",
    ),
    "remote.proxy_command": (
        "The entry for {host} in {file} uses ProxyCommand, which RKDeck does not run.",
        "Write `ProxyJump HOST` instead of `ProxyCommand ssh -W %h:%p HOST`.",
    ),
    "remote.ssh_config_unusable": (
        "RKDeck cannot use the SSH settings in {file}: {reason}.",
        "`ssh -G HOST` shows what ssh makes of them. Correct the line it complains about.",
    ),
    "remote.password_expired": (
        "The password of {user} on {host} has expired; the board wants a new one before it runs anything.",
        "`rkdeck board add` sets a new one when you add --new-password-stdin and give the old and the new password on "
        "two lines. Or log in once with `ssh {user}@{host}`.",
    ),
    "remote.password_not_expired": (
        "The password of {user} on {host} has not expired; RKDeck changed nothing.",
        "To change it all the same, log in with `ssh {user}@{host}` and run `passwd`.",
    ),
    "remote.bad_new_password": (
        "This cannot be the new password: it is empty, the old one, longer than {limit} characters, or has "
        "characters a terminal does not take.",
        "Choose another one.",
    ),
    "remote.new_password_refused": (
        "{host} did not take the new password of {user}: {reason}",
        "Choose a longer one that is no word and not like the old one.",
    ),
    "remote.no_channel": (
        "{host} (port {port}) refuses to run commands: {reason}.",
        "The account may have no shell, or too many sessions are open on the board.",
    ),
    "remote.command_timeout": (
        "{command} did not end within {seconds} s on {host} (port {port}).",
        "The board may be busy or its disk may hang; try again, or look at it with `rkdeck monitor`.",
    ),
    "remote.output_too_large": (
        "{command} on {host} (port {port}) answered with more than {limit_bytes} bytes and was stopped.",
        "This is not what a board answers; look at what that command does there.",
    ),
    "remote.killed": (
        "{command} was killed on {host} (port {port}).",
        "The board may be out of memory: look at `dmesg` there, or stop other programs.",
    ),
    "remote.tunnel_refused": (
        "Nothing could be reached on the board's own port {tunnel_port} of {host} (port {port}): {reason}.",
        "The service on the board may have ended, or its SSH server forbids forwarding (AllowTcpForwarding).",
    ),
    "remote.source_missing": ("The file {file} cannot be read: {reason}.", "Check that it is still there."),
    "remote.source_changed": (
        "The file {file} changed while it was being sent.",
        "Wait until the program that writes it has finished, then deploy again.",
    ),
    "remote.not_writable": (
        "The folder {folder} on {host} cannot be written: {reason}.",
        "Choose another folder with `rkdeck board add ... --store DIR`, or give your account the "
        "right to write there.",
    ),
    "remote.no_space": (
        "{host} has {free_bytes} bytes free in {folder}; {needed_bytes} are needed, {reserve_bytes} "
        "of them as reserve.",
        "Remove models with `rkdeck undeploy`, or choose a larger disk with --store.",
    ),
    "remote.disk_full": (
        "The disk of {host} filled up while the file was being sent to {folder}.",
        "The part that had arrived was removed so that the board stays usable. Free some space and "
        "deploy again.",
    ),
    "remote.write_failed": (
        "Writing {path} on {host} failed after {written_bytes} bytes: {reason}.",
        "Check the disk of the board (`dmesg`, limits of the account); what arrived is kept and will "
        "be used.",
    ),
    "remote.upload_busy": (
        "Another program is sending the same file to {host} ({path}).",
        "Wait until it has finished, or stop it.",
    ),
    "remote.digest_mismatch": (
        "The file {path} on {host} arrived damaged: its SHA-256 is {found} and should be {expected}.",
        "It was removed. Deploy again; if it happens twice, check the board's memory and disk.",
    ),
    "remote.stalled": (
        "{host} took no data for {seconds} s while receiving {path}.",
        "Its disk or the network may hang. Deploy again: it goes on where it stopped.",
    ),
    "remote.unexpected_answer": (
        "{host} answered with something RKDeck does not understand: {text} ({reason}).",
        "Look whether the account's login script prints errors, for example with `ssh HOST true`.",
    ),
    "remote.no_tool": (
        "{host} has no {tool}, which RKDeck needs to receive files.",
        "Install coreutils, or a busybox that has it.",
    ),
}
