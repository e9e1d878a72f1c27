using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Carina.Silo.Lvm;

/// <summary>One entry of a command's log (lvmreport(7), "Command log report").</summary>
/// <param name="Type">status, print, warn or error.</param>
/// <param name="ObjectType">What it is about: cmd, vg, lv, pv, ….</param>
/// <param name="ObjectName">The object's name.</param>
/// <param name="Message">What LVM says.</param>
/// <param name="ReturnCode">Of a status: 1 success, 2 no such command, 3 wrong arguments, 5 failure.</param>
internal sealed record LvmLogEntry(string Type, string ObjectType, string ObjectName, string Message, int ReturnCode);

/// <summary>What a command answered.</summary>
internal sealed class LvmResult
{
    private const int Success = 1;

    private LvmResult(IReadOnlyList<LvmLogEntry> log, LvmReport report)
    {
        (Log, Report) = (log, report);
        ReturnCode = log.LastOrDefault(e => e is { Type: "status", ObjectType: "cmd" })?.ReturnCode
            ?? throw new FormatException("it does not say how the command ended");
    }

    /// <summary>All that the command said, in order.</summary>
    public IReadOnlyList<LvmLogEntry> Log { get; }

    /// <summary>What the command reported; empty for commands that report nothing.</summary>
    public LvmReport Report { get; }

    /// <summary>The command's return code.</summary>
    public int ReturnCode { get; }

    public bool Succeeded => ReturnCode == Success;

    /// <summary>LVM's complaints, for people.</summary>
    public string Complaint => Text("error") is { Length: > 0 } errors ? errors
        : Text("warn") is { Length: > 0 } warnings ? warnings
        : $"LVM failed with code {ReturnCode} and did not say why.";

    /// <summary>Reads the document that the shell prints after a command.</summary>
    /// <exception cref="FormatException">It is not such a document.</exception>
    public static LvmResult Parse(string document)
    {
        // LVM escapes neither control characters nor backslashes in what it quotes. The former can be mended.
        var text = string.Create(document.Length, document, static (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = char.IsControl(source[i]) ? ' ' : source[i];
        });
        try
        {
            var root = JsonNode.Parse(text) ?? throw new FormatException("it is empty");
            return new LvmResult(
                [.. (root["log"] as JsonArray ?? []).Select(ReadEntry)],
                LvmReport.Read(root["report"] as JsonArray ?? []));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or OverflowException)
        {
            throw new FormatException(e.Message, e);
        }
    }

    /// <summary>This result, if the command succeeded.</summary>
    /// <exception cref="LvmException">It failed.</exception>
    public LvmResult EnsureSuccess() => Succeeded ? this : throw ToException();

    /// <summary>The failure as an exception.</summary>
    public LvmException ToException() =>
        new(Log.Where(e => e.Type == "error").Select(e => LvmComplaints.Classify(e.Message))
                .FirstOrDefault(kind => kind != LvmErrorKind.Other), Complaint);

    /// <summary>
    /// Whether LVM took this volume in hand and had no complaint. Only with <see cref="Succeeded"/> does it mean that the
    /// volume was changed: of a failed lvremove, LVM says it also of volumes that it has not removed in the end.
    /// </summary>
    public bool WasProcessed(string volume) =>
        Log.Any(e => e is { Type: "status", ObjectType: "lv", ReturnCode: Success } && e.ObjectName == volume);

    /// <summary>The kind of LVM's complaint about one object, null when there is none.</summary>
    public LvmErrorKind? ComplaintAbout(string objectName)
    {
        var complaints = Log.Where(e => e.Type == "error" && e.ObjectName == objectName).ToList();
        return complaints.Count == 0 ? null : LvmComplaints.Classify(complaints[0].Message);
    }

    private static LvmLogEntry ReadEntry(JsonNode? entry) => new(
        Field(entry, "log_type"),
        Field(entry, "log_object_type"),
        Field(entry, "log_object_name"),
        Field(entry, "log_message"),
        int.Parse(Field(entry, "log_ret_code"), CultureInfo.InvariantCulture));

    private static string Field(JsonNode? entry, string key) =>
        entry?[key]?.GetValue<string>() ?? throw new FormatException($"a log entry lacks {key}");

    private string Text(string type) =>
        string.Join(' ', Log.Where(e => e.Type == type).Select(e => e.Message).Distinct(StringComparer.Ordinal));
}
