/** Protocols and ports as fields of our kinds. */
import { Type } from 'typebox';
import { type Rule, rules } from './kind.ts';

/** A protocol as rules of security groups name it (AWS "Security group rules"). */
export const Protocol = Type.String({
  maxLength: 63,
  description: 'tcp, udp, icmp, a protocol number, or -1 for all of them.',
  ...rules({
    rule: "self in ['tcp', 'udp', 'icmp', '-1'] || (self.matches('^(0|[1-9][0-9]{0,2})$') && int(self) <= 255)",
    message: 'must be tcp, udp or icmp in lower case, a protocol number from 0 to 255, or -1 for all of them',
  }),
});

const Port = Type.Integer({ minimum: 0, maximum: 65_535 });

/** A range of destination ports. */
export const Ports = Type.Optional(
  Type.Object(
    { from: Port, to: Port },
    {
      description: 'Destination ports, both ends included. Default: all.',
      ...rules({ rule: 'self.from <= self.to', message: 'ports.from must not be above ports.to' }),
    },
  ),
);

/** For an object with the fields `protocol` and `ports`. Of a name in upper case its own rule tells enough. */
export const PORTS_OF_PROTOCOL: Rule = {
  rule: "!has(self.ports) || self.protocol.lowerAscii() in ['tcp', 'udp', '6', '17']",
  message: 'only rules for tcp and udp have ports',
};
