/**
 * Brings the API server into a network namespace that has no way to it: listens on a port of its loopback address, and passes on
 * to a socket in the file system. Node runs this file as it is. Arguments: port, path of the socket, path of its control socket.
 */
import { connect, createServer } from 'node:net';

function main([port, upstream, control]: string[]): void {
  createServer((socket) => {
    const onward = connect(upstream ?? '');
    socket.on('error', () => onward.destroy());
    onward.on('error', () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  }).listen(Number(port), '127.0.0.1');
  // Exists once it listens; nobody asks.
  createServer().listen(control);
}

main(process.argv.slice(2));
