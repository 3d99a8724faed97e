export abstract class DivisionsOptions {
  /** This kernel's name inside every signature, e.g. `kernel.example.com/prod`. */
  abstract readonly origin: string;
  abstract now(): Date;
}
