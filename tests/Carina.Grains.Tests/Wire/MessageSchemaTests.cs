using System.Reflection;
using Carina.Grains.Nodes;

namespace Carina.Grains.Tests.Wire;

/// <summary>
/// Silos of two versions exchange these messages during a rolling update. Members may be added, with new numbers; a line
/// that is gone or different from the one in <c>messages.txt</c> is a message that the other version misreads.
/// </summary>
public sealed class MessageSchemaTests
{
    private static readonly string _approved = Path.Combine(AppContext.BaseDirectory, "Wire/messages.txt");

    [Fact]
    public async Task Messages_are_what_the_last_version_sends_and_reads()
    {
        var approved = await File.ReadAllLinesAsync(_approved, TestContext.Current.CancellationToken);
        var actual = Describe().ToList();
        Assert.True(
            approved.SequenceEqual(actual, StringComparer.Ordinal),
            "Messages differ from Wire/messages.txt. Gone:\n" + string.Join('\n', approved.Except(actual))
            + "\nNew (add them to the file, if nothing is gone):\n" + string.Join('\n', actual.Except(approved)));
    }

    [Fact]
    public void Every_message_has_an_alias_of_its_own()
    {
        var aliases = Messages().Select(t => t.GetCustomAttribute<AliasAttribute>()?.Alias ?? "none: " + t).ToList();
        Assert.DoesNotContain(aliases, a => a.StartsWith("none", StringComparison.Ordinal));
        Assert.Equal(aliases.Count, aliases.Distinct().Count());
    }

    private static IEnumerable<Type> Messages() => typeof(INodeGrain).Assembly.GetTypes()
        .Where(t => t.GetCustomAttribute<GenerateSerializerAttribute>() is not null);

    private static IEnumerable<string> Describe() =>
        from type in Messages()
        let alias = type.GetCustomAttribute<AliasAttribute>()!.Alias
        orderby alias
        from line in type.IsEnum ? DescribeValues(type, alias) : DescribeMembers(type, alias)
        select line;

    private static IEnumerable<string> DescribeValues(Type type, string alias) =>
        Enum.GetValues(type).Cast<Enum>().Select(v => $"{alias} = {Convert.ToInt64(v, null)} {v}");

    private static IEnumerable<string> DescribeMembers(Type type, string alias)
    {
        const BindingFlags Own =
            BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        return type.GetMembers(Own)
            .Select(m => (Member: m, m.GetCustomAttribute<IdAttribute>()?.Id))
            .Where(m => m.Id is not null)
            .OrderBy(m => m.Id)
            .Select(m => $"{alias} {m.Id} {m.Member.Name}: {TypeOf(m.Member)}");
    }

    private static string TypeOf(MemberInfo member) => Name(
        member is PropertyInfo property ? property.PropertyType : ((FieldInfo)member).FieldType);

    private static string Name(Type type) => type.IsGenericType
        ? type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)] + "<" + string.Join(", ", type.GetGenericArguments().Select(Name)) + ">"
        : type.GetCustomAttribute<AliasAttribute>()?.Alias ?? type.Name;
}
