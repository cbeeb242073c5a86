/* Run inside guests by Python, which is in every lab host. */

/** Tells its name to whoever asks, whatever address is asked. */
export const responder = `
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::', 7799))
while True:
    _, peer = s.recvfrom(64)
    s.sendto(sys.argv[1].encode(), peer)
`

/** Prints who answers at an address within a second; nothing where nobody does. */
export const asker = `
import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
try:
    s.sendto(b'who', (sys.argv[1], 7799))
    print(s.recvfrom(64)[0].decode(), end='')
except OSError:
    pass
`

/** Counts numbered datagrams: prints how many came and how many came twice. Ends when none has come for so long. */
export const receiver = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(('', int(sys.argv[1])))
s.settimeout(30)
seen, twice = set(), 0
try:
    while True:
        number = s.recv(64)
        s.settimeout(4)
        twice += number in seen
        seen.add(number)
except TimeoutError:
    print(len(seen), twice)
`

/** Sends numbered datagrams to an address and a port, one each 10 ms. */
export const sender = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for number in range(int(sys.argv[3])):
    s.sendto(str(number).encode(), (sys.argv[1], int(sys.argv[2])))
    time.sleep(0.01)
`
