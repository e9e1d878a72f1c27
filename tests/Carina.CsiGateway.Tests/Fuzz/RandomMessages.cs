using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Carina.CsiGateway.Tests.Fuzz;

/// <summary>Random messages of any type, made of values that have broken programs before and of ones that are right.</summary>
internal sealed class RandomMessages(Random random, IReadOnlyList<string> strings)
{
    private const int MaxDepth = 5;

    private static readonly long[] _numbers =
    [
        0, 1, -1, 2, 4096, 1 << 20, 1 << 30, int.MaxValue, int.MinValue, long.MaxValue, long.MinValue, 1L << 60, (1L << 60) + 1,
    ];

    public IMessage Next(MessageDescriptor type) => Next(type, 0);

    /// <summary>A copy of a message that is right, with one field somewhere in it cleared or replaced.</summary>
    public IMessage Mutate(IMessage template)
    {
        var copy = template.Descriptor.Parser.ParseFrom(template.ToByteString());
        MutateInPlace(copy);
        return copy;
    }

    private void MutateInPlace(IMessage message)
    {
        var fields = message.Descriptor.Fields.InDeclarationOrder();
        if (fields.Count == 0)
        {
            return;
        }

        var field = fields[random.Next(fields.Count)];
        var value = field.Accessor.GetValue(message);
        var inner = value switch
        {
            IMessage one => one,
            System.Collections.IList { Count: > 0 } list => list[random.Next(list.Count)] as IMessage,
            _ => null,
        };
        if (inner is not null && random.Next(4) > 0)
        {
            MutateInPlace(inner);
            return;
        }

        field.Accessor.Clear(message);
        if (random.Next(4) > 0)
        {
            Fill(message, field, 0);
        }
    }

    private IMessage Next(MessageDescriptor type, int depth)
    {
        var message = type.Parser.ParseFrom(ByteString.Empty);
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            // Most fields are set most of the time: requests that lack everything stop at the first check.
            if (random.Next(8) == 0 || depth > MaxDepth)
            {
                continue;
            }

            if (field.RealContainingOneof is null || random.Next(field.RealContainingOneof.Fields.Count) == 0)
            {
                Fill(message, field, depth);
            }
        }

        return message;
    }

    private void Fill(IMessage message, FieldDescriptor field, int depth)
    {
        if (field.IsMap)
        {
            var map = (System.Collections.IDictionary)field.Accessor.GetValue(message);
            for (var i = random.Next(3); i > 0; i--)
            {
                map[String()] = String();
            }
        }
        else if (field.IsRepeated)
        {
            var list = (System.Collections.IList)field.Accessor.GetValue(message);
            for (var i = random.Next(3); i > 0; i--)
            {
                list.Add(Value(field, depth));
            }
        }
        else
        {
            field.Accessor.SetValue(message, Value(field, depth));
        }
    }

    private object Value(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.String => String(),
        FieldType.Bool => random.Next(2) == 0,
        FieldType.Int32 => (int)_numbers[random.Next(_numbers.Length)],
        FieldType.Int64 => random.Next(4) == 0 ? random.NextInt64() : _numbers[random.Next(_numbers.Length)],
        FieldType.Enum => Enum.ToObject(field.EnumType.ClrType, random.Next(20) == 0 ? 1000 : random.Next(8)),
        FieldType.Message => Next(field.MessageType, depth + 1),
        _ => throw new NotSupportedException($"{field.FullName} has type {field.FieldType}."),
    };

    private string String()
    {
        if (random.Next(4) > 0)
        {
            return strings[random.Next(strings.Count)];
        }

        return string.Create(random.Next(1, 300), random, (chars, source) =>
        {
            foreach (ref var c in chars)
            {
                // No surrogates: protobuf does not carry halves of them.
                c = (char)(source.Next(3) == 0 ? source.Next(1, 0xD800) : source.Next(1, 0x7F));
            }
        });
    }
}
